"""The queue of a class's shared cluster, in the ledger's database; every verb is one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from clusterlab.class_budget import Limits
from clusterlab.errors import ClusterlabError
from clusterlab.ledger.entry import instant
from clusterlab.ledger.ledger import Ledger
from clusterlab.submission.arbitration import Capacity, Verdict, arbitrate
from clusterlab.submission.history import metered_beside
from clusterlab.submission.look import Look
from clusterlab.submission.table import CLUSTERS, TICKETS, create, is_there, ticket_of, values_of
from clusterlab.submission.ticket import HOLDING, LIVE, State, Ticket
from clusterlab.submission.usage import used

EXPIRY = timedelta(seconds=60)
"""For how long a client may not be heard of before its ticket is nobody's."""
LOOK_SECONDS = 2
"""Between two looks at Ray, whoever takes them."""

_CHANGE = update(TICKETS).where(TICKETS.c.id == bindparam("of"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """What one arbitration came to."""

    verdicts: tuple[Verdict, ...]
    """Of all that waited, in the order in which they were asked."""
    expired: tuple[Ticket, ...]
    """Whose clients were not heard of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Queue:
    """Of one course."""

    ledger: Ledger
    course: str
    limits: Limits

    def begin(self) -> None:
        """Make its tables where there are none."""
        with self.ledger.database.reading() as connection:
            if is_there(connection):
                return
        with self.ledger.database.writing() as connection:
            create(connection)

    def join(self, ticket: Ticket) -> Ticket:
        """Take a place, as from now."""
        with self.ledger.database.writing() as connection:
            now = self.ledger.now(connection)
            joined = replace(ticket, joined=now, beat=now)
            connection.execute(insert(TICKETS), values_of(joined))
            return joined

    def newest(self, student: str, fingerprint: str) -> Ticket | None:
        """The last time that a student asked for the same; None where they never did."""
        with self.ledger.database.reading() as connection:
            rows = select(TICKETS).where(TICKETS.c.course == self.course, TICKETS.c.student == student)
            rows = rows.where(TICKETS.c.fingerprint == fingerprint).order_by(TICKETS.c.joined.desc()).limit(1)
            row = connection.execute(rows).one_or_none()
            return None if row is None else ticket_of(row)

    def ticket(self, name: str) -> Ticket:
        """How it stands now."""
        with self.ledger.database.reading() as connection:
            return _ticket(connection, name)

    def beat(self, name: str) -> Ticket:
        """Say that its client lives; one that had expired meanwhile waits again, from when it joined."""
        with self.ledger.database.writing() as connection:
            ticket = _ticket(connection, name)
            state = State.WAITING if ticket.state is State.EXPIRED else ticket.state
            return _put(connection, replace(ticket, state=state, beat=self.ledger.now(connection)))

    def start(self, name: str) -> Ticket:
        """Say that Ray has it.

        Raises:
            ClusterlabError: it is not its turn any more: its client was not heard of for too long.
        """
        with self.ledger.database.writing() as connection:
            ticket = _ticket(connection, name)
            if ticket.state not in HOLDING:
                raise ClusterlabError(f"{name}: lost its turn: it was not heard of for {EXPIRY.seconds} s")
            return _put(connection, replace(ticket, state=State.RUNNING, beat=self.ledger.now(connection)))

    def end(self, name: str, state: State = State.ENDED) -> Ticket:
        """Say that it is over, and let others have what it held; once over, it stays as it was."""
        with self.ledger.database.writing() as connection:
            ticket, now = _ticket(connection, name), self.ledger.now(connection)
            if ticket.state not in LIVE and ticket.state is not State.EXPIRED:
                return ticket
            ended = _put(connection, replace(ticket, state=state, ended=now))
            last = _capacity(connection, self.course)
            if last is not None:
                self._arbitrate(connection, _live(connection, self.course), last, now)
            return ended

    def claim_look(self) -> bool:
        """Whether it is time that Ray is asked, and ours to do: of all who wait, one asks for all."""
        with self.ledger.database.reading() as connection:
            if not self._is_due(connection):
                return False
        with self.ledger.database.writing() as connection:
            if not self._is_due(connection):
                return False
            self._put_cluster(connection, looked=instant(self.ledger.now(connection)))
            return True

    def arbitrate(self, look: Look) -> Round:
        """Take up what Ray says, let go of who is not heard of, and say who starts."""
        with self.ledger.database.writing() as connection:
            now = self.ledger.now(connection)
            live = [_seen(each, look, now) for each in _live(connection, self.course)]
            _put_all(connection, live)
            capacity = look.capacity({each.id for each in live if each.state in HOLDING})
            amounts = {"gpus": f"{capacity.gpus:f}", "others": f"{capacity.others:f}"}
            self._put_cluster(connection, looked=instant(now), **amounts)
            verdicts = self._arbitrate(connection, live, capacity, now)
            return Round(verdicts=verdicts, expired=tuple(each for each in live if each.state is State.EXPIRED))

    def standing(self) -> tuple[list[Ticket], list[Verdict]]:
        """Who holds GPUs, and who waits, in the order in which they would be asked now; changes nothing."""
        with self.ledger.database.reading() as connection:
            now, live = self.ledger.now(connection), _live(connection, self.course)
            capacity = _capacity(connection, self.course) or Capacity(gpus=Decimal(0), others=Decimal(0))
            holding = sorted(
                (each for each in live if each.state in HOLDING), key=lambda each: (each.started or now, each.id)
            )
            return holding, arbitrate(live, self._used(connection, now), capacity, self.limits, now)

    def _arbitrate(
        self, connection: Connection, live: Iterable[Ticket], capacity: Capacity, now: datetime
    ) -> tuple[Verdict, ...]:
        verdicts = arbitrate(live, self._used(connection, now), capacity, self.limits, now)
        granted = [each.ticket for each in verdicts if each.starts]
        _put_all(connection, [replace(each, state=State.GRANTED, started=now) for each in granted])
        return tuple(verdicts)

    def _used(self, connection: Connection, now: datetime) -> Mapping[str, Any]:
        window = timedelta(days=self.limits.window_days)
        since = instant(now - window)
        rows = select(TICKETS).where(TICKETS.c.course == self.course, TICKETS.c.ended >= since)
        ended = list(map(ticket_of, connection.execute(rows)))
        return used(ended, metered_beside(connection, self.course, since), window, now)

    def _put_cluster(self, connection: Connection, **values: str) -> None:
        row = update(CLUSTERS).where(CLUSTERS.c.course == self.course).values(**values)
        if not connection.execute(row).rowcount:
            connection.execute(insert(CLUSTERS), {"gpus": "0", "others": "0"} | values | {"course": self.course})

    def _is_due(self, connection: Connection) -> bool:
        looked = connection.execute(select(CLUSTERS.c.looked).where(CLUSTERS.c.course == self.course)).scalar()
        since = timedelta(seconds=LOOK_SECONDS)
        return looked is None or self.ledger.now(connection) - datetime.fromisoformat(looked) >= since


def _seen(ticket: Ticket, look: Look, now: datetime) -> Ticket:
    """A ticket after a look at Ray, whose word counts for what runs; of what waits, its client's beat does."""
    silent = now - ticket.beat > EXPIRY
    if ticket.id in look.over:
        return replace(ticket, state=State.ENDED, ended=min(look.over[ticket.id], now))
    if ticket.state is State.RUNNING:
        # Ray forgets its jobs where its head begins anew, and they end with it.
        return replace(ticket, state=State.ENDED, ended=now) if silent and ticket.id not in look.running else ticket
    if not silent:
        return ticket
    state = State.RUNNING if ticket.id in look.running else State.EXPIRED
    return replace(ticket, state=state, started=ticket.started if state is State.RUNNING else None)


def _live(connection: Connection, course: str) -> list[Ticket]:
    rows = select(TICKETS).where(TICKETS.c.course == course, TICKETS.c.state.in_(LIVE)).order_by(TICKETS.c.joined)
    return list(map(ticket_of, connection.execute(rows)))


def _ticket(connection: Connection, name: str) -> Ticket:
    return ticket_of(connection.execute(select(TICKETS).where(TICKETS.c.id == name)).one())


def _put(connection: Connection, ticket: Ticket) -> Ticket:
    _put_all(connection, [ticket])
    return ticket


def _put_all(connection: Connection, tickets: Sequence[Ticket]) -> None:
    names = ("state", "beat", "started", "ended")
    rows = [{"of": each.id} | {name: values_of(each)[name] for name in names} for each in tickets]
    if rows:
        connection.execute(_CHANGE.values({name: bindparam(name) for name in names}), rows)


def _capacity(connection: Connection, course: str) -> Capacity | None:
    """What Ray said last; None where it was never asked."""
    row = connection.execute(select(CLUSTERS).where(CLUSTERS.c.course == course)).one_or_none()
    return None if row is None else Capacity(gpus=Decimal(row.gpus), others=Decimal(row.others))

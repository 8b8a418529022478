"""The ledger's rows within one writing transaction: what is there, and rows that are added to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, exists, insert, or_, select, union_all

from clusterlab.errors import InputError, Problem
from clusterlab.ledger.account import STATES, Account
from clusterlab.ledger.budget import Budget, Scope, changes
from clusterlab.ledger.entry import Entry, Kind, Owner, from_micro, instant, to_micro_usd
from clusterlab.ledger.schema import BALANCES, ENTRIES

MAX_SKEW = timedelta(minutes=5)
"""By how much a clock may be behind the newest row: more is no drift, and would let no reservation expire."""


def _last_balance(scope: Scope) -> Select[Any]:
    """The newest balance of a scope, of the name that is bound by the scope's own."""
    of = BALANCES.alias(f"of_{scope}")
    found = select(of).where(of.c.scope == scope.value, of.c.name == bindparam(scope.value))
    return select(found.order_by(of.c.seq.desc()).limit(1).subquery())


_LAST = select(ENTRIES).order_by(ENTRIES.c.seq.desc()).limit(1)
_OF_RUN = select(ENTRIES).where(ENTRIES.c.run == bindparam("run")).order_by(ENTRIES.c.seq)
_OF_INTERVAL = select(ENTRIES).where(ENTRIES.c.interval == bindparam("interval")).order_by(ENTRIES.c.seq)
_OF_MANY = (
    select(ENTRIES)
    .where(
        or_(
            ENTRIES.c.run.in_(bindparam("runs", expanding=True)),
            ENTRIES.c.interval.in_(bindparam("intervals", expanding=True)),
        )
    )
    .order_by(ENTRIES.c.seq)
)
_LATER = ENTRIES.alias("later")
_DUE = (
    select(ENTRIES)
    .where(ENTRIES.c.expires > bindparam("after"), ENTRIES.c.expires <= bindparam("now"))
    .where(~exists().where(_LATER.c.run == ENTRIES.c.run, _LATER.c.seq > ENTRIES.c.seq, _LATER.c.kind.in_(STATES)))
    .order_by(ENTRIES.c.expires, ENTRIES.c.seq)
)
_ADD_ENTRIES = insert(ENTRIES)
# Asked to return something, SQLAlchemy adds the rows by one statement, in place of one for each.
_ADD_BALANCES = insert(BALANCES).returning(BALANCES.c.seq)
_LAST_BALANCES = union_all(*map(_last_balance, Scope))


@dataclass(kw_only=True, slots=True)
class Journal:
    """What a writer sees and adds; nobody else adds anything until its transaction ends."""

    connection: Connection
    last: Entry
    """The newest row."""
    at: datetime
    """The instant of all that is added: the clock's, and never before the newest row's."""
    budgets: dict[tuple[Scope, str], Budget] = field(default_factory=dict)
    """Those that this transaction asked for."""
    waiting: tuple[list[dict[str, Any]], list[dict[str, Any]]] | None = None
    """Rows and balances that are added `together`; None where each is added at once."""

    @classmethod
    def begin(cls, connection: Connection, now: datetime) -> Journal:
        """The journal, with the reservations expired that are due.

        Raises:
            InputError: there is no row yet, or the clock is too far behind the newest.
        """
        last = newest(connection)
        since = datetime.fromisoformat(last.at)
        if now < since - MAX_SKEW:
            message = f"{instant(now)}, and the newest row is of {last.at}; allowed: at most {MAX_SKEW} behind it"
            raise InputError(Problem(path="ledger", key="clock", message=message))
        journal = cls(connection=connection, last=last, at=max(now, since))
        journal._expire(since=last.at)
        return journal

    def account(self, run: str) -> Account:
        """What a run has here."""
        return Account(entries=tuple(map(entry, self.connection.execute(_OF_RUN, {"run": run}))))

    def of_interval(self, interval: str) -> list[Entry]:
        """All rows of an interval, in order."""
        return list(map(entry, self.connection.execute(_OF_INTERVAL, {"interval": interval})))

    def rows_of(self, runs: Iterable[str], intervals: Iterable[str] = ()) -> list[Entry]:
        """All rows of many runs and intervals, in order, read together."""
        bound = {"runs": list(runs), "intervals": list(intervals)}
        return list(map(entry, self.connection.execute(_OF_MANY, bound)))

    def budgets_of(self, owner: Owner) -> list[Budget]:
        """The budgets that an owner's rows count against."""
        names = {scope: getattr(owner, scope.value) for scope in Scope}
        wanted = [(scope, name) for scope, name in names.items() if name is not None]
        if any(key not in self.budgets for key in wanted):
            bound = {scope.value: name for scope, name in names.items()}
            found = map(budget, self.connection.execute(_LAST_BALANCES, bound))
            none = {key: Budget(scope=key[0], name=key[1]) for key in wanted}
            self.budgets = none | {(each.scope, each.name): each for each in found} | self.budgets
        return [self.budgets[key] for key in wanted]

    def append(
        self,
        kind: Kind,
        owner: Owner,
        *,
        micro_usd: int = 0,
        interval: str | None = None,
        expires: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Add a row, and what its student, team and course then hold."""
        added = Entry.after(
            self.last,
            at=instant(self.at),
            kind=kind,
            owner=owner,
            micro_usd=micro_usd,
            interval=interval,
            expires=expires,
            detail=detail or {},
        )
        changed = [each.after(added) for each in self.budgets_of(owner)] if changes(added) else []
        self.budgets |= {(each.scope, each.name): each for each in changed}
        rows, balances = [added.values()], [_balance(each, added.seq) for each in changed]
        if self.waiting is None:
            self._add(rows, balances)
        else:
            self.waiting[0].extend(rows)
            self.waiting[1].extend(balances)
        self.last = added
        return added

    @contextmanager
    def together(self) -> Iterator[None]:
        """Add what is appended within at its end, by one statement; who asks for rows until then does not see it."""
        self.waiting = [], []
        yield
        self._add(*self.waiting)
        self.waiting = None

    def _add(self, rows: list[dict[str, Any]], balances: list[dict[str, Any]]) -> None:
        if rows:
            self.connection.execute(_ADD_ENTRIES, rows)
        if balances:
            self.connection.execute(_ADD_BALANCES, balances)

    def _expire(self, since: str) -> None:
        """Free each reservation whose time was up after the newest row, and that nobody committed or released."""
        for due in self.connection.execute(_DUE, {"after": since, "now": instant(self.at)}).all():
            reservation = entry(due)
            self.append(Kind.EXPIRE, reservation.owner, micro_usd=-reservation.micro_usd)


def last_entry(connection: Connection) -> Entry | None:
    """The newest row; None where there is none."""
    row = connection.execute(_LAST).one_or_none()
    return None if row is None else entry(row)


def newest(connection: Connection) -> Entry:
    """The newest row.

    Raises:
        InputError: there is none.
    """
    last = last_entry(connection)
    if last is None:
        raise no_ledger("ledger")
    return last


def no_ledger(name: str) -> InputError:
    """What is said where no ledger was begun."""
    return InputError(Problem(path=name, message="no ledger there; `clusterlab budget set` begins one"))


def entry(row: Row[Any]) -> Entry:
    """A row of the table as an entry."""
    values = row._asdict()
    return Entry(**values | {"kind": Kind(values["kind"])})


def grouped(rows: Iterable[Entry], name: str) -> dict[str, list[Entry]]:
    """Rows by what they have in a column, those apart that have nothing there."""
    found: dict[str, list[Entry]] = {}
    for each in rows:
        if getattr(each, name) is not None:
            found.setdefault(getattr(each, name), []).append(each)
    return found


def budget(row: Row[Any]) -> Budget:
    """A row of the balances as a budget."""
    cap = row.cap_micro_usd
    return Budget(
        scope=Scope(row.scope),
        name=row.name,
        cap_usd=None if cap is None else from_micro(cap),
        held_usd=from_micro(row.held_micro_usd),
    )


def _balance(of: Budget, seq: int) -> dict[str, Any]:
    return {
        "scope": of.scope,
        "name": of.name,
        "seq": seq,
        "held_micro_usd": to_micro_usd(of.held_usd),
        "cap_micro_usd": None if of.cap_usd is None else to_micro_usd(of.cap_usd),
    }

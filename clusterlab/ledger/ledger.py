"""The ledger: a launch reserves what it may cost, is committed, used, and settled; caps hold for all at any time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, insert, inspect, select

from clusterlab.cost.interval import Interval, Source
from clusterlab.cost.money import CURRENCY, checked_usd
from clusterlab.errors import ClusterlabError, InputError, Problem
from clusterlab.ledger import schema
from clusterlab.ledger.budget import Budget, Scope
from clusterlab.ledger.chain import Fault, first_fault
from clusterlab.ledger.database import Database
from clusterlab.ledger.entry import Entry, Kind, Owner, from_micro, instant, to_micro_usd
from clusterlab.ledger.journal import Journal, last_entry, newest, no_ledger
from clusterlab.ledger.recording import Recorder, record
from clusterlab.ledger.reservation import Reservation, check_covered, check_open
from clusterlab.ledger.settling import settle, settle_or_refuse, wrong
from clusterlab.ledger.spending import Spending, accrue, spendings
from clusterlab.ledger.standing import Standing
from clusterlab.ledger.statement import Statement, Use, all_intervals, budgets, statement, uses
from clusterlab.tags import LABEL, LABEL_RULE

HELD = (Kind.RESERVE, Kind.COMMIT)
"""The states in which a run holds what it reserved."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ledger:
    """A ledger that is there; every verb is one transaction, done as a whole or not at all."""

    database: Database
    clock: Callable[[], datetime] | None = None
    """In place of the database's own; for tests and simulations."""
    _standing: Standing = field(default_factory=Standing, init=False, repr=False, compare=False)
    _spendings: dict[tuple[Scope, str], Spending] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def open(
        cls, url: str, *, path: str = "ledger", begin: bool = False, clock: Callable[[], datetime] | None = None
    ) -> Ledger:
        """Open a ledger by its URL; with `begin` one is begun where none is. `path` is what carried the URL.

        Raises:
            InputError: no such URL, no ledger there, or one of another currency.
            UnreachableError: the database does not answer.
            StorageError: what lies there is no database.
        """
        ledger = cls(database=Database.at(url, path=path), clock=clock)
        try:
            if begin:
                ledger._begin()
            ledger._check_currency()
        except ClusterlabError:
            ledger.close()
            raise
        return ledger

    def close(self) -> None:
        """Close its connections; the next verb opens one again."""
        self.database.engine.dispose()

    def set_cap(self, scope: Scope, name: str, usd: Decimal) -> Budget:
        """From here on a student, a team or a course may hold so much; what they hold already stays.

        Raises:
            InputError: the name is no label, or the amount is below 0.
        """
        if not LABEL.fullmatch(name):
            raise InputError(Problem(path="budget", key=scope, message=f"{name!r} is not a label; {LABEL_RULE}"))
        checked_usd(usd, path="budget", key="usd")
        with self.journal() as journal:
            owner = Owner(**{scope.value: name})
            journal.append(Kind.CAP, owner, detail={"usd": f"{usd:f}"})
            [budget] = journal.budgets_of(owner)
            return budget

    def reserve(self, asked: Reservation) -> Entry:
        """Hold what a launch may cost; the same run again is the same reservation.

        Raises:
            BudgetError: it does not fit under every cap of its student, team and course, none has one, or it is over.
            InputError: it would expire at once, or the run is another's or asks for more than it did.
        """
        with self.journal() as journal:
            check_open(journal.budgets_of(asked.owner))
            account = journal.account(asked.run)
            held = account.reservation
            if held is not None and account.state in HELD:
                _check_same(held, asked)
                return held
            if asked.expires <= journal.at:
                message = f"{instant(asked.expires)} is past; it is {instant(journal.at)}"
                raise InputError(Problem(path="reservation", key="expires", message=message))
            check_covered(journal.budgets_of(asked.owner), asked)
            return journal.append(
                Kind.RESERVE, asked.owner, micro_usd=to_micro_usd(asked.usd), expires=instant(asked.expires)
            )

    def commit(self, run: str) -> Entry:
        """Say that a run is launched: what it reserved stays held until it is settled.

        Raises:
            InputError: it has no reservation that holds.
        """
        with self.journal() as journal:
            account = journal.account(run)
            held = account.reservation
            if held is None or account.state not in HELD:
                raise wrong(run, f"its last step is {account.state or 'none'}; allowed: reserve")
            return account.entries[-1] if account.state is Kind.COMMIT else journal.append(Kind.COMMIT, held.owner)

    def release(self, run: str) -> Entry:
        """Say that a run was not launched: what it reserved is free.

        Raises:
            InputError: it never reserved, or it is launched.
        """
        with self.journal() as journal:
            account = journal.account(run)
            held = account.reservation
            if held is None or account.state in (Kind.COMMIT, Kind.SETTLE):
                raise wrong(run, f"its last step is {account.state or 'none'}; allowed: reserve")
            if account.state is not Kind.RESERVE:
                return account.entries[-1]
            return journal.append(Kind.RELEASE, held.owner, micro_usd=-held.micro_usd)

    def record(self, interval: Interval) -> Entry:
        """Put use on record: once when it begins, and once more when it has ended; the same again changes nothing.

        A run that is seen in use is launched, so it is committed. What it uses beyond what it holds is held at once.

        Raises:
            InputError: the interval is on record with another owner, shape, price or end.
        """
        with self.journal() as journal:
            return record(journal, interval)

    def record_all(self, intervals: Sequence[Interval]) -> list[Entry | InputError]:
        """Put much use on record in one transaction; what would be refused is in its place, and holds up no other."""
        with self.journal() as journal:
            recorder = Recorder.of(journal, intervals)
            with journal.together():
                return [recorder.record_or_refuse(each) for each in intervals]

    def accrue(self) -> list[Entry]:
        """Hold what is in use now beyond what its run holds, so that the next launch sees it before the use ends."""
        with self.journal() as journal, self._standing.lock:
            self._standing.follow(journal.connection)
            return accrue(journal, self._standing)

    def settle(self, run: str) -> Entry:
        """Say that a run is over: it holds what it used, and what it reserved beyond that is free.

        Raises:
            InputError: no use of it is on record, some goes on, or a price of it is not known.
        """
        with self.journal() as journal:
            return settle(journal, journal.account(run), run)

    def settle_all(self, runs: Sequence[str]) -> list[Entry | InputError]:
        """Settle many runs in one transaction; what would be refused is in its place, and holds up no other."""
        with self.journal() as journal:
            return settle_or_refuse(journal, runs)

    def correct(self, run: str, usd: Decimal, *, why: str) -> Entry:
        """Raise what a run holds, or lower it by a negative amount: what was written before stays as it is.

        Raises:
            InputError: the run is not known, it would hold less than nothing, or no reason is given.
        """
        if not why.strip():
            raise InputError(Problem(path="correction", key="why", message="empty; allowed: the reason"))
        checked_usd(abs(usd), path="correction", key="usd")
        with self.journal() as journal:
            account = journal.account(run)
            micro_usd = to_micro_usd(usd)
            if not account.entries or account.held_micro_usd + micro_usd < 0:
                held = from_micro(account.held_micro_usd)
                raise wrong(run, f"holds {held}, which {usd} would lower below 0" if account.entries else "unknown")
            return journal.append(Kind.CORRECT, account.entries[-1].owner, micro_usd=micro_usd, detail={"why": why})

    def budgets(self) -> list[Budget]:
        """Every budget that has a cap or holds something, students first."""
        with self.database.reading() as connection:
            return budgets(connection)

    def spendings(self) -> list[Spending]:
        """What is spent of every budget until now, students first."""
        with self._followed() as connection:
            return spendings(self._standing, self.now(connection), self._spendings)

    def uses(self) -> list[Use]:
        """What was reserved and used, by student and lab; what is nobody's last."""
        with self.database.reading() as connection:
            return uses(connection, self.now(connection))

    def unsettled(self) -> dict[str, list[Interval]]:
        """The runs of which use is on record that they were not settled for, each with all its use."""
        with self._followed():
            return self._standing.unsettled()

    def latest(self, source: Source, resources: Iterable[str]) -> dict[str, Interval]:
        """By resource the use that began last: of those that are named, and of all whose use goes on by that source."""
        with self._followed() as connection:
            return self._standing.latest(connection, source, resources)

    def intervals(self) -> list[Interval]:
        """All use on record, each interval as it was last recorded."""
        with self.database.reading() as connection:
            return all_intervals(connection)

    def statement(self, course: str | None = None) -> Statement:
        """Budgets, sums and use of a course, all of one instant; of the one course there is where none is named.

        Raises:
            InputError: the ledger does not know the course, or it knows several and none is named.
        """
        with self.database.reading() as connection:
            return statement(connection, self.now(connection), course)

    def head(self) -> str:
        """The digest of the newest row: whoever keeps it elsewhere sees later that no row before it is gone."""
        with self.database.reading() as connection:
            return newest(connection).digest

    def verify(self, *, head: str | None = None) -> Fault | None:
        """The first row that is not as it was written, or None; `head` is a digest that must be among them."""
        with self.database.reading() as connection:
            return first_fault(connection, head=head)

    def now(self, connection: Connection) -> datetime:
        """The time of all that is written in a transaction."""
        return self.clock() if self.clock else self.database.now(connection)

    @contextmanager
    def journal(self) -> Iterator[Journal]:
        """A transaction that adds rows, one after another of those of others."""
        with self.database.writing() as connection:
            yield Journal.begin(connection, self.now(connection))

    @contextmanager
    def _followed(self) -> Iterator[Connection]:
        """A transaction that reads, with what the rows come to as it is there."""
        with self.database.reading() as connection, self._standing.lock:
            self._standing.follow(connection)
            yield connection

    def _begin(self) -> None:
        with self.database.writing() as connection:
            schema.create(connection)
            if last_entry(connection) is None:
                at = instant(self.now(connection))
                first = Entry.after(None, at=at, kind=Kind.OPEN, owner=Owner(), detail={"currency": CURRENCY})
                connection.execute(insert(schema.ENTRIES), first.values())

    def _check_currency(self) -> None:
        if not self.database.there:
            raise no_ledger(self.database.name)
        with self.database.reading() as connection:
            if not inspect(connection).has_table(schema.ENTRIES.name):
                raise no_ledger(self.database.name)
            first = connection.execute(select(schema.ENTRIES.c.detail).order_by(schema.ENTRIES.c.seq).limit(1)).scalar()
        currency = json.loads(first or "{}").get("currency")
        if currency != CURRENCY:
            message = f"{currency}; allowed: {CURRENCY}"
            raise InputError(Problem(path=self.database.name, key="currency", message=message))


def _check_same(held: Entry, asked: Reservation) -> None:
    """Refuse a run that is another's already, or that asks for more than was reserved for it."""
    if held.owner != asked.owner or asked.usd > held.usd:
        message = f"reserved {held.usd:.2f} USD for {held.student}, {held.lab}; allowed: a run of its own"
        raise wrong(asked.run, message)

"""What the ledger's rows come to, followed row by row: a meter asks again and again, and a course's rows only grow."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import RLock
from typing import Any

from sqlalchemy import Connection, Select, bindparam, case, func, select, union_all

from clusterlab.cost.interval import Interval, Source
from clusterlab.cost.total import Total
from clusterlab.ledger.account import interval_key, interval_of, used
from clusterlab.ledger.budget import Budget, Scope, changes
from clusterlab.ledger.entry import Entry, Kind, Owner, from_micro, to_micro_usd
from clusterlab.ledger.journal import entry
from clusterlab.ledger.schema import ENTRIES
from clusterlab.ledger.statement import budgets

OPENING = (Kind.RESERVE, Kind.COMMIT, Kind.INTERVAL)
"""The rows after which a run is to be settled."""
BATCH = 1000
"""Rows that are read at a time."""
NEVER = datetime.min.replace(tzinfo=UTC)
LONGEST = timedelta(days=366)
"""After which it is worked out anew whether a run holds what it used."""
NUM_RESOURCES = 50
"""Resources that are looked up at a time, by a statement that is made once: that takes longer than to run it."""

_KEY = func.coalesce(ENTRIES.c.run, ENTRIES.c.interval)
_NEWER = select(ENTRIES).where(ENTRIES.c.seq > bindparam("seq")).order_by(ENTRIES.c.seq).limit(BATCH)
_DIGEST = select(ENTRIES.c.digest).where(ENTRIES.c.seq == bindparam("seq"))


def _of_resource(number: int) -> Select[Any]:
    """The intervals of one of the resources that are looked up together."""
    # In the order of bytes, so that all of a resource lie between its name and a blank, and its name and the letter
    # after.
    mine = (ENTRIES.c.interval >= bindparam(f"first{number}"), ENTRIES.c.interval < bindparam(f"beyond{number}"))
    return select(ENTRIES.c.seq, ENTRIES.c.detail).where(*mine, ENTRIES.c.kind == Kind.INTERVAL)


# Each by itself, so that each goes through the index; of many conditions together SQLite reads the whole ledger.
_OF_RESOURCES = union_all(*map(_of_resource, range(NUM_RESOURCES)))


@dataclass(kw_only=True, slots=True)
class OpenRun:
    """A run that is not settled, or a use that belongs to no run."""

    owner: Owner
    held_micro_usd: int = 0
    intervals: dict[str, Interval] = field(default_factory=dict)
    """Each as it was last recorded."""
    unsettled: bool = False
    """Whether use of it is on record that it was not settled for."""
    budgets: tuple[tuple[Scope, str], ...] = field(init=False)
    """Those that it counts against."""
    covered_until: datetime = NEVER
    """Before when it surely holds what it used, if no row of it is added."""

    def __post_init__(self) -> None:
        names = ((scope, getattr(self.owner, scope.value)) for scope in Scope)
        self.budgets = tuple((scope, name) for scope, name in names if name is not None)

    @property
    def going_on(self) -> list[Interval]:
        """What of it is in use."""
        return [each for each in self.intervals.values() if each.end is None]

    def overrun_micro_usd(self, now: datetime) -> int:
        """By how much what it used until now is above what it holds, while something of it goes on; else 0.

        It is asked each few minutes, and a run mostly holds enough for hours: until then nothing is added up.
        """
        if now < self.covered_until:
            return 0
        going_on = self.going_on
        overrun = to_micro_usd(self.used(now).usd) - self.held_micro_usd if going_on else 0
        if overrun > 0:
            return overrun
        # Each use is rounded to the micro-dollar, now and then.
        self.covered_until = now + _lasting(going_on, -overrun - len(self.intervals))
        return 0

    def used(self, now: datetime) -> Total:
        """What it cost until now."""
        return used(self.intervals.values(), now)

    def add(self, row: Entry) -> None:
        """One row more of it."""
        self.covered_until = NEVER
        self.held_micro_usd += row.micro_usd
        if row.kind is Kind.INTERVAL:
            interval = interval_of(row.detail)
            self.intervals[interval_key(interval)] = interval
            self.unsettled = True
        elif row.kind is Kind.SETTLE:
            self.unsettled = False


@dataclass(kw_only=True, slots=True)
class Standing:
    """The budgets, the runs that are open, and the uses that go on, after the row of one number.

    It is a memory of what is in the database and never the only place of anything. Where the row of that number is
    another one by now, as after a server's crash, it begins anew.
    """

    seq: int = 0
    digest: str = ""
    budgets: dict[tuple[Scope, str], Budget] = field(default_factory=dict)
    opened: dict[str, OpenRun] = field(default_factory=dict)
    """By run, or by itself where a use belongs to no run."""
    newest: dict[tuple[Source, str], Interval | None] = field(default_factory=dict)
    """Of each resource that is in use, or that was asked for last, the interval that began last; None for none."""
    lock: RLock = field(default_factory=RLock)
    """Held by whoever follows and reads."""

    def follow(self, connection: Connection) -> None:
        """Come up to the newest row."""
        if not self.seq or connection.execute(_DIGEST, {"seq": self.seq}).scalar() != self.digest:
            self._begin(connection)
        while rows := connection.execute(_NEWER, {"seq": self.seq}).all():
            for row in map(entry, rows):
                self._add(connection, row)
                self.seq, self.digest = row.seq, row.digest

    def latest(self, connection: Connection, source: Source, resources: Iterable[str]) -> dict[str, Interval]:
        """By resource the interval that began last: of those that are asked for, and of all that go on."""
        wanted = {(source, each) for each in resources}
        self.newest |= _newest_of(connection, wanted - self.newest.keys())
        kept = {key: each for key, each in self.newest.items() if key in wanted or (each and each.end is None)}
        self.newest = kept | {key: each for key, each in self.newest.items() if key[0] is not source}
        return {key[1]: each for key, each in kept.items() if each and key[0] is source}

    def unsettled(self) -> dict[str, list[Interval]]:
        """The runs of which use is on record that they were not settled for, with all their use."""
        found = ((key, each) for key, each in self.opened.items() if each.unsettled and each.owner.run is not None)
        return {key: list(each.intervals.values()) for key, each in sorted(found)}

    def _begin(self, connection: Connection) -> None:
        """Have the database add up all that there is."""
        last = connection.execute(select(ENTRIES.c.seq, ENTRIES.c.digest).order_by(ENTRIES.c.seq.desc()).limit(1)).one()
        self.seq, self.digest = last
        self.budgets = {(each.scope, each.name): each for each in budgets(connection)}
        self.opened = dict(_opened(connection))
        found = [interval for run in self.opened.values() for interval in run.intervals.values()]
        going_on = {(each.source, each.resource_id) for each in found if each.end is None}
        self.newest = _newest_of(connection, going_on)

    def _add(self, connection: Connection, row: Entry) -> None:
        for key in changes(row).items():
            self.budgets[key] = self.budgets.get(key, Budget(scope=key[0], name=key[1])).after(row)
        name = row.run or row.interval
        if name is None:
            return
        if row.kind in OPENING and name not in self.opened:
            self.opened[name] = _run_of(connection, row)
        elif name in self.opened:
            self.opened[name].add(row)
        if row.kind is Kind.INTERVAL:
            self._saw(connection, self.opened[name].intervals[row.interval or ""])
        if row.kind is Kind.SETTLE or (name in self.opened and _is_nothing(self.opened[name], row)):
            self.opened.pop(name, None)

    def _saw(self, connection: Connection, interval: Interval) -> None:
        key = (interval.source, interval.resource_id)
        if key in self.newest:
            known = self.newest[key]
            self.newest[key] = interval if known is None or interval.start >= known.start else known
        elif interval.end is None:
            # Another run, which is settled, may have used it later. What has ended is looked up when it is asked for.
            self.newest |= _newest_of(connection, {key})


def _lasting(going_on: Iterable[Interval], micro_usd: int) -> timedelta:
    """How long what goes on costs no more than so much."""
    prices = (each.price_usd_per_hour for each in going_on)
    usd_per_hour = sum((price for price in prices if price is not None), Decimal(0))
    if not usd_per_hour:
        return LONGEST
    seconds = int(from_micro(max(0, micro_usd)) * 3600 / usd_per_hour)
    return min(LONGEST, timedelta(seconds=min(seconds, int(LONGEST.total_seconds()))))


def _is_nothing(run: OpenRun, row: Entry) -> bool:
    """Whether a run was given up that was never in use."""
    return row.kind in (Kind.RELEASE, Kind.EXPIRE) and not run.intervals and not run.held_micro_usd


def _run_of(connection: Connection, row: Entry) -> OpenRun:
    """A run with all its rows up to this one: what was settled may be used again."""
    mine = ENTRIES.c.interval == row.interval if row.run is None else ENTRIES.c.run == row.run
    rows = select(ENTRIES).where(mine, ENTRIES.c.seq <= row.seq).order_by(ENTRIES.c.seq)
    run = OpenRun(owner=row.owner)
    for each in map(entry, connection.execute(rows)):
        run.add(each)
    return run


def _newest_of(
    connection: Connection, wanted: Collection[tuple[Source, str]]
) -> dict[tuple[Source, str], Interval | None]:
    """Of each resource the interval that began last, as it was last recorded; None for none."""
    found: dict[tuple[Source, str], Interval | None] = dict.fromkeys(wanted)
    names = sorted({resource for _, resource in wanted})
    for start in range(0, len(names), NUM_RESOURCES):
        rows = connection.execute(_OF_RESOURCES, _ranges(names[start : start + NUM_RESOURCES]))
        for _, detail in sorted({(row.seq, row.detail) for row in rows}):
            interval = interval_of(detail)
            key = (interval.source, interval.resource_id)
            known = found.get(key)
            if key in found and (known is None or interval.start >= known.start):
                found[key] = interval
    return found


def _ranges(names: Sequence[str]) -> dict[str, str]:
    """Where the intervals of each lie; the last again and again, where there are fewer than the statement takes."""
    ranges: dict[str, str] = {}
    for number in range(NUM_RESOURCES):
        name = names[min(number, len(names) - 1)]
        ranges |= {f"first{number}": f"{name} ", f"beyond{number}": f"{name}!"}
    return ranges


def _opened(connection: Connection) -> Iterator[tuple[str, OpenRun]]:
    """The runs that are not settled, added up by the database."""
    opens = connection.execute(_sums()).all()
    found = _intervals(connection, {row.key for row in opens})
    for row in opens:
        names = {name: getattr(row, name) for name in Owner.__dataclass_fields__}
        yield (
            row.key,
            OpenRun(
                owner=Owner(**names),
                held_micro_usd=int(row.held),
                intervals=found.get(row.key, {}),
                unsettled=(row.metered or 0) > (row.settled or 0),
            ),
        )


def _sums() -> Select[Any]:
    opened = func.max(case((ENTRIES.c.kind.in_(OPENING), ENTRIES.c.seq)))
    settled = func.max(case((ENTRIES.c.kind == Kind.SETTLE, ENTRIES.c.seq)))
    metered = func.max(case((ENTRIES.c.kind == Kind.INTERVAL, ENTRIES.c.seq)))
    names = [func.min(ENTRIES.c[name]).label(name) for name in Owner.__dataclass_fields__]
    held = func.sum(ENTRIES.c.micro_usd).label("held")
    rows = select(_KEY.label("key"), held, metered.label("metered"), settled.label("settled"), *names)
    rows = rows.where(_KEY.is_not(None)).group_by(_KEY)
    return rows.having(opened > func.coalesce(settled, 0)).order_by(_KEY)


def _intervals(connection: Connection, keys: set[str]) -> dict[str, dict[str, Interval]]:
    """By run, or by itself, each interval as it was last recorded; only those are read, of which a course has few."""
    rows = select(_KEY.label("key"), ENTRIES.c.interval, ENTRIES.c.detail).where(ENTRIES.c.kind == Kind.INTERVAL)
    details = {
        row.interval: (row.key, row.detail)
        for row in connection.execute(rows.order_by(ENTRIES.c.seq))
        if row.key in keys
    }
    found: dict[str, dict[str, Interval]] = {}
    for key, (owner, detail) in details.items():
        found.setdefault(owner, {})[key] = interval_of(detail)
    return found

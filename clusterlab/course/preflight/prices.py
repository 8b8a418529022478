"""How old the prices are that the class's plan stands on."""

from __future__ import annotations

from collections.abc import Iterator

from clusterlab.catalog import Kind, Row
from clusterlab.course.preflight.check import Check, passed, warned
from clusterlab.course.preflight.subject import Subject, Work
from clusterlab.plan import STALE

NAME = "prices"
TODO = "`clusterlab catalog update` reads new ones"


def look(subject: Subject) -> Iterator[Check]:
    """Of machines, disks and egress that some lab can take; one without a price has no age."""
    rows = dict.fromkeys(row for work in subject.works for row in _stands_on(work, subject))
    ages = {row: (subject.today - row.as_of).days for row in rows if row.as_of}
    machines = ((work, row) for work in subject.works for row in work.machines)
    unknown = [row.placed for work, row in machines if row.usd(spot=work.use_spot) is None]
    unknown += [row.placed for row in rows if row.kind is not Kind.MACHINE and row.on_demand_usd is None]
    unknown += [missing for work in subject.works for missing in work.missing]
    old = [f"{row.placed} ({days} days)" for row, days in ages.items() if days > STALE.days]
    if old:
        yield warned(NAME, f"older than {STALE.days} days: {', '.join(old)}", TODO)
    if unknown:
        yield warned(NAME, f"not known: {', '.join(dict.fromkeys(unknown))}", TODO)
    if not old and not unknown:
        seen = f"{len(rows)} prices, none older than {STALE.days} days" if rows else "no lab needs a cloud's machine"
        yield passed(NAME, seen)


def _stands_on(work: Work, subject: Subject) -> Iterator[Row]:
    for machine in work.machines:
        yield machine
        yield from filter(None, (subject.catalog.beside(kind, machine) for kind in (Kind.DISK, Kind.EGRESS)))

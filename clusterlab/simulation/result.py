"""What a simulated semester came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from clusterlab.simulation.invariant import Invariant


@dataclass(kw_only=True, slots=True)
class Counts:
    """What happened, and how often."""

    launches: int = 0
    """That the policy was asked for."""
    machines: int = 0
    spot_machines: int = 0
    """Of those machines."""
    refusals: Counter[str] = field(default_factory=Counter)
    """By rule."""
    events: Counter[str] = field(default_factory=Counter)
    """By what befell machines, clouds and clocks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    """The course's money at the end of a day."""

    at: datetime
    spent_usd: Decimal
    held_usd: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """A semester, or as much of it as there was until something did not hold."""

    course: str
    num_students: int
    num_labs: int
    seed: int
    start: datetime
    until: datetime
    counts: Counts
    planned_usd: Decimal
    cap_usd: Decimal
    reserved_usd: Decimal
    metered_usd: Decimal
    billed_usd: Decimal
    """Of the same uses, by the cloud itself."""
    unseen_usd: Decimal
    peak_held_usd: Decimal
    peak_machines: int
    overshoot: timedelta
    overspent_usd: Decimal
    num_over: int
    """How many students' caps were spent."""
    num_rows: int
    days: Sequence[Day]
    finished: bool = True
    """Whether all of it was simulated, or somebody stopped it before."""
    violation: tuple[Invariant, str] | None = None
    trace: Sequence[str] = ()
    """The last events before something did not hold."""

    @property
    def passed(self) -> bool:
        """Whether every invariant held, to the end."""
        return self.finished and self.violation is None

    def verdicts(self) -> dict[Invariant, str]:
        """Each invariant with PASS or FAIL; with HELD where it held until somebody stopped it."""
        broken = self.violation[0] if self.violation else None
        held = "PASS" if self.finished or broken else "HELD"
        return {each: "FAIL" if each is broken else held for each in Invariant}

    def facts(self) -> dict[str, str]:
        """By name what a person wants to know, in the order of a table."""
        return {
            "launches asked for": f"{self.counts.launches}",
            "machines started": f"{self.counts.machines}",
            "spot among them": f"{self.counts.spot_machines}",
            "most at once": f"{self.peak_machines}",
            "planned, USD": f"{self.planned_usd:.2f}",
            "reserved in all, USD": f"{self.reserved_usd:.2f}",
            "most held at once, USD": f"{self.peak_held_usd:.2f}",
            "the course's cap, USD": f"{self.cap_usd:.2f}",
            "metered, USD": f"{self.metered_usd:.2f}",
            "billed by the cloud, USD": f"{self.billed_usd:.2f}",
            "between two looks, USD": f"{self.unseen_usd:.2f}",
            "longest past a lease, minutes": f"{self.overshoot / timedelta(minutes=1):.0f}",
            "students who spent their cap": f"{self.num_over}",
            "most past a cap, USD": f"{self.overspent_usd:.2f}",
            "rows of the ledger": f"{self.num_rows}",
        }

    def as_json(self) -> dict[str, Any]:
        """As JSON values, dollars as texts."""
        return {
            "course": self.course,
            "num_students": self.num_students,
            "num_labs": self.num_labs,
            "seed": self.seed,
            "start": self.start.isoformat(),
            "until": self.until.isoformat(),
            "finished": self.finished,
            "passed": self.passed,
            "invariants": {each.name.lower(): verdict for each, verdict in self.verdicts().items()},
            "violation": self.violation and self.violation[1],
            "trace": list(self.trace),
            "num_launches": self.counts.launches,
            "num_machines": self.counts.machines,
            "num_spot_machines": self.counts.spot_machines,
            "refusals": dict(sorted(self.counts.refusals.items())),
            "events": dict(sorted(self.counts.events.items())),
            **{f"{name}_usd": f"{getattr(self, f'{name}_usd'):.6f}" for name in AMOUNTS},
            "peak_machines": self.peak_machines,
            "overshoot_minutes": round(self.overshoot / timedelta(minutes=1), 2),
            "num_students_over": self.num_over,
            "num_rows": self.num_rows,
            "days": [[each.at.isoformat(), f"{each.spent_usd:.2f}", f"{each.held_usd:.2f}"] for each in self.days],
        }

    def render(self) -> Iterator[RenderableType]:
        """What a terminal shows."""
        title = f"{self.course}: {self.num_students} students, {self.num_labs} labs, until {self.until:%Y-%m-%d}"
        yield _table(title, self.facts())
        if not self.finished and not self.violation:
            yield Text(f"stopped before its end, at {self.until:%Y-%m-%d %H:%M} UTC; no invariant broke until then")
        if self.counts.refusals:
            yield _table("refused", {rule: str(number) for rule, number in self.counts.refusals.most_common()})
        if self.counts.events:
            yield _table("what happened", {what: str(number) for what, number in self.counts.events.most_common()})
        for invariant, verdict in self.verdicts().items():
            yield Text(f"{verdict}  {invariant}", style=STYLES[verdict])
        if self.violation:
            yield Text(f"{self.violation[1]}; the last events, of --seed {self.seed}:", style="red")
            yield Text("\n".join(self.trace), style="dim")


STYLES = {"PASS": "green", "HELD": "yellow", "FAIL": "bold red"}
AMOUNTS = ("planned", "cap", "reserved", "metered", "billed", "unseen", "peak_held", "overspent")


def _table(title: str, rows: dict[str, str]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in rows.items():
        table.add_row(name, value)
    return table

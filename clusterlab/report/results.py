"""Report the runs that were recorded, by lab and student, each against what its lab expects.

clusterlab report
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from clusterlab.errors import InputError, Problem
from clusterlab.lab import Expectation, Lab
from clusterlab.plan import dollars
from clusterlab.report.record_check import checked
from clusterlab.run import RECORD, Run, Status

WIDE = 100
"""Columns of a terminal from which the start is shown too; the run's name tells it already."""
STYLES = {"PASS": "green", "FAIL": "bold red"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """One metric against its expectation."""

    metric: str
    value: float | None
    """None where it was expected and is missing."""
    expectation: Expectation | None
    """None where nothing was expected of it."""

    @property
    def verdict(self) -> str:
        """`PASS` or `FAIL`; empty where nothing was expected."""
        if self.expectation is None:
            return ""
        return "PASS" if self.value is not None and self.expectation.met_by(self.value) else "FAIL"

    def __str__(self) -> str:
        return f"{self.metric} {number(self.value)}, expected {self.expectation}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A run and how it stands to its lab."""

    folder: Path
    run: Run
    results: tuple[Result, ...] = ()
    note: str = ""
    """Why there is no verdict, where there could be one."""

    @property
    def verdict(self) -> str:
        """`PASS` or `FAIL` of a run that succeeded and of which something was expected; else empty."""
        verdicts = {result.verdict for result in self.results} - {""}
        if not self.succeeded or not verdicts:
            return ""
        return "FAIL" if "FAIL" in verdicts else "PASS"

    @property
    def succeeded(self) -> bool:
        """Whether the job came to its end."""
        return self.run.status is Status.SUCCEEDED

    @property
    def failed(self) -> bool:
        """Whether the job failed, or a result is outside what is expected."""
        return self.verdict == "FAIL" or not self.succeeded

    @property
    def pictures(self) -> list[str]:
        """What the job drew."""
        return sorted(path.as_posix() for path in self.folder.rglob("*.png"))

    @property
    def texts(self) -> list[str]:
        """What the job wrote for a reader."""
        return sorted(path.as_posix() for path in self.folder.glob("*.txt"))

    @property
    def failing(self) -> tuple[Result, ...]:
        """What lies outside its range; empty where there is no verdict."""
        return tuple(each for each in self.results if each.verdict == "FAIL") if self.verdict == "FAIL" else ()

    @property
    def who(self) -> tuple[str, str]:
        """Lab and student."""
        return self.run.asked.lab, self.run.tags.get("student", "unknown")

    def as_json(self) -> dict[str, Any]:
        """As JSON values, dollars as text."""
        lab, student = self.who
        return {
            "lab": lab,
            "student": student,
            "run_id": self.run.run_id,
            "folder": self.folder.as_posix(),
            "scale": self.run.asked.config.get("scale"),
            "status": self.run.status,
            "started": self.run.started,
            "seconds": self.run.seconds,
            "cost_usd": self.run.cost_usd,
            "verdict": self.verdict or None,
            "fingerprint": self.run.fingerprint,
            "metrics": {name: finite(value) for name, value in self.run.metrics.items()},
            "pictures": self.pictures,
            "texts": self.texts,
            "failing": [result_json(result) for result in self.failing],
            "note": self.note or None,
        }


def read_runs(runs: Path, root: Path) -> tuple[list[Entry], list[Problem]]:
    """Every run below a folder, by lab, student and start, and the records that cannot be read."""
    return read_records(sorted(runs.rglob(RECORD)), root)


def read_records(paths: Iterable[Path], root: Path) -> tuple[list[Entry], list[Problem]]:
    """The runs of these records, by lab, student and start, and those that cannot be read."""
    entries: list[Entry] = []
    problems: list[Problem] = []
    labs: dict[str, Lab | str] = {}
    for path in paths:
        try:
            run = checked(Run.load(path.parent), path)
        except InputError as error:
            problems += error.problems
            continue
        name = run.asked.lab
        if name not in labs:
            labs[name] = _lab(root / "labs" / f"{name}.yaml", root)
        entries.append(entry(path.parent, run, labs[name]))
    return sorted(entries, key=lambda each: (*each.who, each.run.started)), problems


def entry(folder: Path, run: Run, lab: Lab | str) -> Entry:
    """A run against its lab, or against nothing for the reason given."""
    if isinstance(lab, str):
        return Entry(folder=folder, run=run, note=lab)
    scale = run.asked.config.get("scale")
    planned = next((planned for each, planned in lab.scales.items() if each == scale), None)
    if planned is None:
        return Entry(folder=folder, run=run, note=f"the lab expects nothing at scale {scale}")
    expected = [
        Result(metric=name, value=run.metrics.get(name), expectation=range_) for name, range_ in planned.expect.items()
    ]
    others = [
        Result(metric=name, value=value, expectation=None)
        for name, value in run.metrics.items()
        if name not in planned.expect
    ]
    return Entry(folder=folder, run=run, results=(*expected, *others))


def results_table(run: Run, lab: Lab, *, width: int) -> Table:
    """The metrics of one run, each with what was expected of it; in a wide terminal with the source of that too."""
    table = Table(title=f"{run.asked.lab}: results", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("metric", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("expected", no_wrap=True)
    table.add_column("", no_wrap=True)
    if width >= WIDE:
        table.add_column("source", style="dim")
    for result in entry(Path(), run, lab).results:
        wanted = result.expectation
        range_, source = (str(wanted), wanted.source) if wanted else ("", "")
        verdict = Text(result.verdict, style=STYLES.get(result.verdict, ""))
        table.add_row(result.metric, number(result.value), range_, verdict, *([source] if width >= WIDE else []))
    return table


def render_run(of: Entry, lab: Lab, *, width: int) -> Iterator[RenderableType]:
    """What a terminal shows after one run: its results, or why there are none, and where the rest lies."""
    if of.succeeded:
        yield results_table(of.run, lab, width=width)
    else:
        yield Text(f"{of.run.status}: {of.run.error or 'no reason was recorded'}", style="red")
    yield Text(f"record   {(of.folder / RECORD).as_posix()}")
    for picture in of.pictures:
        yield Text(f"picture  {picture}")
    for text in of.texts:
        yield Text(f"text     {text}")
    yield Text(f"cost     {cost(of.run)} USD")


def render(entries: Sequence[Entry], problems: Iterable[Problem], *, width: int) -> Iterator[RenderableType]:
    """What a terminal of so many columns shows: a table for each lab and student, then what failed and why."""
    for (lab, student), group in groupby(entries, key=lambda each: each.who):
        yield _table(f"{lab}, {student}", list(group), wide=width >= WIDE)
    for each in entries:
        for result in each.failing:
            source = result.expectation.source if result.expectation else ""
            yield Text(f"FAIL {each.run.run_id}: {result} ({source})", style="red")
        if each.note:
            yield Text(f"{each.run.run_id}: {each.note}", style="yellow")
        if each.run.error:
            yield Text(f"{each.run.run_id}: {each.run.error}", style="yellow")
    for problem in problems:
        yield Text(str(problem), style="red")


def number(value: float | None) -> str:
    """A metric for a person: five digits, or every digit of a whole number."""
    if value is None:
        return "missing"
    if math.isfinite(value) and (value == int(value) or abs(value) >= 1e5):
        return f"{value:,.0f}"
    return f"{value:.5g}"


def cost(run: Run) -> str:
    """The run's dollars for a person; `unknown` where the price is not known."""
    return dollars(None if run.cost_usd is None else Decimal(run.cost_usd))


def result_json(result: Result) -> dict[str, Any]:
    """As JSON values; None where there is no bound or no value."""
    wanted, value = result.expectation, result.value
    return {
        "metric": result.metric,
        "value": None if value is None else finite(value),
        "low": wanted and wanted.low,
        "high": wanted and wanted.high,
        "source": wanted and wanted.source,
    }


def _table(title: str, entries: Iterable[Entry], *, wide: bool) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("run", overflow="fold")
    table.add_column("scale", no_wrap=True)
    table.add_column("status", no_wrap=True)
    if wide:
        table.add_column("started", no_wrap=True)
    for name in ("seconds", "USD"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("result", no_wrap=True)
    for each in entries:
        run = each.run
        seconds = "" if run.seconds is None else f"{run.seconds:,.1f}"
        started = [run.started[:19].replace("T", " ")] if wide else []
        verdict = Text(each.verdict, style=STYLES.get(each.verdict, ""))
        scale = str(run.asked.config.get("scale", ""))
        table.add_row(run.run_id, scale, run.status, *started, seconds, cost(run), verdict)
    return table


def _lab(path: Path, root: Path) -> Lab | str:
    shown = path.relative_to(root)
    if not path.is_file():
        return f"{shown} is gone, so there is nothing to check against"
    try:
        return Lab.load(path)
    except InputError:
        return f"{shown} cannot be read; `clusterlab check {shown}` says why"


def finite(value: float) -> float | str:
    """A number as JSON can have it: NaN and infinity as texts."""
    return value if math.isfinite(value) else str(value)

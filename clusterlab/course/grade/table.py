"""What a terminal shows of a gradebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from clusterlab.course.grade.book import Book, Row
from clusterlab.course.grade.due import late_hours
from clusterlab.report.results import STYLES
from clusterlab.report.words import printable

if TYPE_CHECKING:
    from rich.console import RenderableType


def render(book: Book) -> Iterator[RenderableType]:
    """The rows, then what failed, was changed or should be looked at, and what belongs to no row."""
    yield _table(book)
    for row in book.rows:
        yield from _remarks(row)
    strangers = _counted(book.strangers)
    if strangers:
        yield Text(f"not in the roster: {strangers}", style="yellow")
    others = _counted(book.others)
    if others:
        yield Text(f"not of the class: {others}", style="dim")
    for problem in book.problems:
        yield Text(printable(problem), style="red")
    missing = sum(row.graded is None for row in book.due)
    failing = sum(row.graded is not None and row.graded.verdict == "FAIL" for row in book.due)
    yield Text(f"due so far: {len(book.due)}, of them missing: {missing}, failing: {failing}")


def _table(book: Book) -> Table:
    table = Table(title=f"{book.course}: grades", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("student", overflow="fold", min_width=10)
    table.add_column("lab", overflow="fold")
    table.add_column("result", no_wrap=True)
    for name in ("score", "late h"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("changed", overflow="fold")
    table.add_column("flags", overflow="fold")
    due = {(row.student, row.lab) for row in book.due}
    for row in book.rows:
        table.add_row(*_cells(row, is_due=(row.student, row.lab) in due))
    return table


def _cells(row: Row, *, is_due: bool) -> tuple[str | Text, ...]:
    graded = row.graded
    flags = Text("\n".join(dict.fromkeys(printable(flag.short) for flag in row.flags)), style="yellow")
    if graded is None:
        missing = Text("missing", style="bold red") if is_due else Text("not yet", style="dim")
        return row.student, row.lab, missing, "", "", "", flags
    late = "" if graded.late is None else f"{late_hours(graded.late)}"
    score = "" if graded.score is None else f"{graded.score}"
    verdict = Text(graded.verdict or "no verdict", style=STYLES.get(graded.verdict, ""))
    return row.student, row.lab, verdict, score, late, printable(", ".join(graded.differences.kinds)), flags


def _remarks(row: Row) -> Iterator[Text]:
    who = f"{row.student}, {row.lab}"
    for result in row.graded.results if row.graded else ():
        if result.verdict == "FAIL":
            yield Text(f"{who}: FAIL {result}", style="red")
    for change in row.graded.differences.envs if row.graded else ():
        yield Text(printable(f"{who}: {change}"))
    for flag in row.flags:
        yield Text(printable(f"{who}: {flag.short}{f', {flag.why}' if flag.why else ''}"), style="yellow")


def _counted(counts: Mapping[str, int]) -> str:
    return printable(", ".join(f"{name} ({count} run{'' if count == 1 else 's'})" for name, count in counts.items()))

"""What a terminal shows of a course's money."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from clusterlab.report import words
from clusterlab.report.leases import OpenUse
from clusterlab.report.matrix import Cell
from clusterlab.report.outliers import RULE
from clusterlab.report.summary import Summary

if TYPE_CHECKING:
    from rich.console import RenderableType

MOST_ROWS = 500
"""Of a table: the terminal's library takes ten seconds for a large course's twenty thousand, and nobody reads them."""
NAMES = {"student": words.student, "lab": words.lab}


def render(summary: Summary, by: Sequence[str]) -> Iterator[RenderableType]:
    """The cells by these keys, what kinds of resources cost, the budget, what is in use, and the bill."""
    facts = summary.facts
    rows = summary.by(by)
    yield _matrix(summary, by, rows[:MOST_ROWS])
    if len(rows) > MOST_ROWS:
        yield Text(f"{len(rows) - MOST_ROWS} more rows; --json has all of them, --html the page", style="dim")
    for each in summary.outliers:
        where = words.lab(each.lab) if each.lab else "all labs"
        yield Text(f"{words.student(each.student)}, {where}: {each.shown}, {words.outlier(each)}", style="yellow")
    if summary.outliers:
        yield Text(f"An outlier is {RULE}.", style="dim")
    yield _kinds(summary)
    yield _budgets(summary)
    for sentence in words.forecast(summary.burn):
        yield Text(sentence)
    yield from _open(summary.open)
    if facts.sweep is not None:
        left = [each for each in facts.sweep.findings if each.left]
        told = "nothing is left" if facts.sweep.proven else f"{len(left)} left, or not looked at everywhere"
        yield Text(f"sweep of {words.when(facts.sweep.ended) if facts.sweep.ended else 'a cut-off run'}: {told}")
    yield Text(_bill(summary))
    for problem in facts.problems:
        yield Text(words.printable(problem), style="red")


def _matrix(summary: Summary, by: Sequence[str], rows: Sequence[Cell]) -> Table:
    course = words.printable(summary.facts.course or "no course")
    table = _table(f"{course} at {words.when(summary.facts.at)}, USD", *by)
    for name in ("runs", "estimate", "held", "metered"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("results")
    for each in rows:
        _add(table, each, [NAMES[key](getattr(each, key)) for key in by])
    table.add_section()
    _add(table, summary.total, ["all", *[""] * (len(by) - 1)])
    return table


def _add(table: Table, cell: Cell, names: Sequence[str]) -> None:
    metered = Text(f"{cell.shown or '-'}{' *' if cell.outlier else ''}", style="bold yellow" if cell.outlier else "")
    amounts = (words.usd(cell.estimated_usd), words.usd(cell.held_usd))
    table.add_row(*names, str(cell.num_runs), *amounts, metered, cell.results)


def _kinds(summary: Summary) -> Table:
    table = _table("by kind of resource, USD", "kind")
    table.add_column("metered", justify="right")
    for each in summary.kinds:
        table.add_row(each.kind, words.metered(each.metered, each.usd))
    return table


def _budgets(summary: Summary) -> Table:
    table = _table("budgets, USD, the fullest first", "", "name")
    for name in ("cap", "held", "free"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in summary.budgets[:MOST_ROWS]:
        cap, free = ("none", "") if each.cap_usd is None else (words.usd(each.cap_usd), words.usd(each.free_usd))
        table.add_row(each.scope, words.printable(each.name), cap, words.usd(each.held_usd), free)
    return table


def _open(uses: Sequence[OpenUse]) -> Iterator[RenderableType]:
    leaks = [each for each in uses if each.leak]
    if leaks:
        table = _table("leaks: in use over a lease, or nobody's", "resource", "student", "lab")
        for name in ("hours", "USD"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("why")
        for each in leaks:
            of = each.interval
            what = f"{of.kind} {words.printable(of.resource_id)} ({of.shape}, {of.region})"
            why = f"{each.state}{f', {words.when(each.lease_until)}' if each.lease_until else ''}"
            table.add_row(
                what, words.student(of.student), words.lab(of.lab), f"{each.hours:.1f}", words.usd(each.usd), why
            )
        yield table
    yield Text(f"in use now: {len(uses)}, of them leaks: {len(leaks)}")


def _bill(summary: Summary) -> str:
    bill = summary.facts.bill
    if bill is None:
        return "billed: not known, no bill was imported; `clusterlab bill import` reads one"
    nobodys = f"{words.usd(bill.bill_usd)} USD, of it nobody's {words.usd(bill.unallocated_usd)}"
    return f"billed: {nobodys}; `clusterlab bill reconcile` has the rows"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table

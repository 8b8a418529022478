"""The checks of a class as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from clusterlab.course.preflight.check import Check, Verdict
from clusterlab.report.words import printable

if TYPE_CHECKING:
    from rich.table import Table

STYLES = {Verdict.PASS: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}


def counts(checks: Sequence[Check]) -> str:
    """How many stand how, the worst first."""
    found = Counter(each.verdict for each in checks)
    return ", ".join(f"{found[verdict]} {verdict}" for verdict in (Verdict.FAIL, Verdict.WARN, Verdict.PASS))


def table(course: str, checks: Sequence[Check]) -> Table:
    """In the order in which they are given."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    made = Table(title=f"{course}: {counts(checks)}", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    made.add_column("check", no_wrap=True)
    made.add_column("", no_wrap=True)
    for name in ("seen", "to do"):
        made.add_column(name, overflow="fold")
    for each in checks:
        verdict = Text(each.verdict, STYLES[each.verdict])
        made.add_row(each.name, verdict, Text(printable(each.seen)), Text(printable(each.todo)))
    return made

"""The example of docs/bill.md is what the code shows; `UPDATE_GOLDEN=1` writes it again."""

from __future__ import annotations

import io
import os
from decimal import Decimal
from pathlib import Path

from rich.console import Console

from clusterlab.bill.rules import Rule, Share
from clusterlab.bill.table import render
from clusterlab.bill.unit import Unit
from tests.clusterlab.bill.exports import charge
from tests.clusterlab.bill.test_reconciliation import interval, reconciled

PAGE = Path(__file__).parents[3] / "docs" / "bill.md"
CHARGES = [
    charge("0.53"),
    charge("1.05", resource="i-0bbb", hours=2),
    charge("0.84", resource="i-0ccc"),
    charge("0.20", resource="i-0ddd"),
    charge("1.00", resource=None, service="AWSSupportBusiness", category="Purchase"),
    charge("-0.25", resource=None, category="Credit"),
]
INTERVALS = [
    interval("ana", "qlora"),
    interval("ben", "fsdp", resource="i-0bbb", hours=2),
    interval("cleo", "qlora", resource="i-0ccc", price="0.8048"),
    interval("cleo", "fsdp", resource="i-0ddd", price=None),
]
ESTIMATES = {Unit(student=student, lab=lab): Decimal(1) for student, lab in [("ana", "qlora"), ("cleo", "qlora")]}
SUPPORT = Rule(name="support", match={"ServiceName": ("AWSSupportBusiness",)}, share=Share.EVEN)


def test_the_example_is_what_the_code_shows(tmp_path: Path) -> None:
    shown = io.StringIO()
    for part in render(reconciled(tmp_path, CHARGES, INTERVALS, [SUPPORT], ESTIMATES)):
        Console(file=shown, width=118).print(part)
    lines = "\n".join(line.rstrip() for line in shown.getvalue().splitlines())
    before, rest = PAGE.read_text().split("<!-- example -->\n")
    _, after = rest.split("<!-- /example -->")
    page = f"{before}<!-- example -->\n```\n{lines}\n```\n<!-- /example -->{after}"
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(page)
    assert PAGE.read_text() == page

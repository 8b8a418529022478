"""The last table of a class's rehearsal, summed again: by the ledger, the report's parts, and the bill's lines."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlab.cost.money import CENT
from clusterlab.rehearsal.steps import StepError

if TYPE_CHECKING:
    from clusterlab.report.summary import Summary

AMOUNTS = ("planned_usd", "metered_usd", "billed_usd")
TOTAL = "total"


def check_sums(report: Path, summary: Summary, billed: Decimal) -> Mapping[str, Decimal]:
    """Whether the cents of each column of a report add up, and are those of who says the same in another way.

    Args:
        report: The CSV, a line for each student x lab, and the total last.
        summary: The ledger as a page shows it.
        billed: The sum of the bill's lines.

    Returns:
        The totals, by column.

    Raises:
        StepError: they do not, a price is not known, or bill and metering are a cent or more apart.
    """
    with report.open(newline="") as file:
        *lines, total = csv.DictReader(file)
    totals = {name: Decimal(total[name]) for name in AMOUNTS}
    sums = {name: sum((Decimal(line[name]) for line in lines), Decimal(0)) for name in AMOUNTS}
    metered, facts = summary.total.metered, summary.facts
    known = sum((each.usd(facts.at) or Decimal(0) for each in facts.intervals), Decimal(0))
    said = {
        **{f"{name} of the lines": (name, usd) for name, usd in sums.items()},
        "what launches reserved": (AMOUNTS[0], _cents(sum((each.reserved_usd for each in facts.uses), Decimal(0)))),
        "the cells": (AMOUNTS[1], sum((each.usd for each in summary.cells), Decimal(0))),
        "the kinds": (AMOUNTS[1], sum((each.usd for each in summary.kinds), Decimal(0))),
        "the intervals": (AMOUNTS[1], _cents(known)),
        "the bill": (AMOUNTS[2], _cents(billed)),
    }
    wrong = [f"{who}: {usd}" for who, (name, usd) in said.items() if usd != totals[name]]
    if wrong or not metered.complete or total["student"] != TOTAL:
        raise StepError(f"{report.name}: {_shown(totals)}; {', '.join(wrong) or 'a price is not known'}")
    if abs(metered.usd - billed) >= CENT:
        raise StepError(f"metered {metered} USD, billed by the emulated cloud's own record {billed:.6f}")
    return totals


def _cents(usd: Decimal) -> Decimal:
    return usd.quantize(CENT)


def _shown(totals: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{name} {usd}" for name, usd in totals.items())

"""The report as one page: HTML with its style, its drawing and its script inside, which asks nobody for anything."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from clusterlab.report import comparison, words
from clusterlab.report.burn import METHOD
from clusterlab.report.charts import draw
from clusterlab.report.facts import Outcome
from clusterlab.report.frame import FOLDER, render
from clusterlab.report.heat import FAILED, PASSED, heat_map
from clusterlab.report.outliers import RULE
from clusterlab.report.summary import Summary

MOST_ROWS = 1000
"""Of a table that has a row for each student x lab or for each run: beyond it a page is no page any more."""
BAR = 120
"""Units that the longest bar is long."""


def page(summary: Summary) -> str:
    """The whole page, as the text of one file.

    Raises:
        MissingError: Jinja is not installed.
    """
    return render(
        FOLDER / "page.html",
        language="en",
        script=FOLDER / "page.js",
        summary=summary,
        facts=summary.facts,
        burn=summary.burn,
        outliers=summary.outliers,
        leaks=summary.leaks,
        words=words,
        drawing=draw(summary.burn, summary.facts.at),
        heat=heat_map(summary),
        signs={"passed": PASSED, "failed": FAILED},
        kinds=_with_bars([(each.usd,) for each in summary.kinds], summary.kinds),
        failing=_failing(summary.facts.outcomes),
        rules={"outlier": RULE, "forecast": METHOD},
        most=MOST_ROWS,
        **_comparison(summary),
    )


def _comparison(summary: Summary) -> dict[str, Any]:
    """By lab with bars; by student and lab, or by student alone where those are too many."""
    rows = comparison.compare(summary)
    labs = comparison.by(rows, "lab")
    fine = len(rows) <= MOST_ROWS
    return {
        "labs": _with_bars([each.amounts for each in labs], labs),
        "rows": rows if fine else comparison.by(rows, "student"),
        "fine": fine,
        "num_rows": len(rows),
        "whole": comparison.total(rows),
    }


def _with_bars(amounts: Sequence[Sequence[Decimal | None]], rows: Sequence[Any]) -> list[tuple[Any, list[str]]]:
    """Each row with the lengths of its bars; what is not known has none."""
    top = max((usd for each in amounts for usd in each if usd is not None), default=Decimal(0))
    lengths = [
        ["" if usd is None or top <= 0 else f"{max(usd, Decimal(0)) / top * BAR:.1f}" for usd in each]
        for each in amounts
    ]
    return list(zip(rows, lengths, strict=True))


def _failing(outcomes: Sequence[Outcome]) -> list[Outcome]:
    failing = [each for each in outcomes if each.verdict == "FAIL"]
    return sorted(failing, key=lambda each: (each.lab, each.student or "", each.started, each.run))

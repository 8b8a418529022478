"""The report as one page: HTML with its style, its drawing and its script inside, which asks nobody for anything."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlab.errors import MissingError
from clusterlab.report import comparison, words
from clusterlab.report.burn import METHOD
from clusterlab.report.charts import draw
from clusterlab.report.facts import Outcome
from clusterlab.report.heat import FAILED, PASSED, heat_map
from clusterlab.report.outliers import RULE
from clusterlab.report.summary import Summary

if TYPE_CHECKING:
    from jinja2 import Template

FOLDER = Path(__file__).parent
INSTALL = "pip install 'clusterlab[money]'"
MOST_ROWS = 1000
"""Of a table that has a row for each student x lab or for each run: beyond it a page is no page any more."""
BAR = 120
"""Units that the longest bar is long."""


def page(summary: Summary) -> str:
    """The whole page, as the text of one file.

    Raises:
        MissingError: Jinja is not installed.
    """
    style, script = (_asset(name) for name in ("page.css", "page.js"))
    return _template().render(
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
        style=style,
        script=script,
        policy=policy(style, script),
        **_comparison(summary),
    )


def policy(style: str, script: str) -> str:
    """What a browser lets the page do: its own style and script, told by their digests, and nothing else at all."""
    return (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; base-uri 'none'; "
        "form-action 'none'"
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


def _asset(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8").strip()


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _template() -> Template:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ModuleNotFoundError as error:
        raise MissingError(f"{error.name}: not installed; `{INSTALL}` installs it") from error
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html")

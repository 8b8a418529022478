"""A class's status as one page, with the look of the report's."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from clusterlab.course.status.gpu import IDLE_FOR, LOW_PERCENT
from clusterlab.course.status.looks import LONGEST_GAP
from clusterlab.course.status.part import CLOUDS, Name
from clusterlab.course.status.rows import cluster_rows, lease_rows
from clusterlab.course.status.snapshot import Snapshot
from clusterlab.course.status.sums import memory, sums, unseen
from clusterlab.course.status.words import Words, duration, instant
from clusterlab.report.frame import render
from clusterlab.report.words import printable

FOLDER = Path(__file__).parent
MOST_ROWS = 1000
"""Of a table: beyond it a page is no page any more."""
BAR = 120
"""Units that a whole bar is long."""
RULE = "idle: held, and below {percent} % at every look for {minutes} min, looks at most {gap} min apart"


def page(snapshot: Snapshot, say: Words) -> str:
    """The whole page, as the text of one file.

    Raises:
        MissingError: Jinja is not installed.
    """
    rule = {"percent": LOW_PERCENT, "minutes": _minutes(IDLE_FOR.seconds), "gap": _minutes(LONGEST_GAP.seconds)}
    return render(
        FOLDER / "status.html",
        language=say.language,
        styles=(FOLDER / "status.css",),
        seen=snapshot,
        say=say,
        sums=list(sums(snapshot, say)),
        clusters=cluster_rows(snapshot),
        leases=lease_rows(snapshot),
        missing={
            "clusters": _missing(snapshot, say, *CLOUDS, Name.SKYPILOT),
            "gpus": _missing(snapshot, say, Name.RAY, *CLOUDS),
            "jobs": _missing(snapshot, say, Name.RAY, Name.SLURM),
            "budgets": _missing(snapshot, say, Name.LEDGER),
            "leases": _missing(snapshot, say, *CLOUDS),
        },
        rule=say(RULE, **rule),
        most=MOST_ROWS,
        bar=bar,
        memory=memory,
        duration=duration,
        instant=instant,
        printable=printable,
    )


def bar(share: Decimal | float | None) -> str:
    """How long the bar of a share is; empty without one."""
    return "" if share is None else f"{min(max(float(share), 0.0), 1.0) * BAR:.1f}"


def _missing(snapshot: Snapshot, say: Words, *names: Name) -> list[str]:
    """Why something is not all there; nothing where nobody was to be asked, and others answered."""
    seen = any(snapshot.parts[name].value is not None for name in names)
    return [say.looked(each) for each in unseen(snapshot, names) if each.blind or not seen]


def _minutes(seconds: int) -> str:
    return f"{seconds / 60:g}"

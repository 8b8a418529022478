"""What a report is made of, as it was found: the ledger at one instant, the bill, the runs' results and a proof."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from clusterlab.bill.reconciliation import Reconciliation
from clusterlab.ledger.statement import Statement


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of a run."""

    student: str | None
    """None where its tags do not say."""
    lab: str
    run: str
    scale: str
    status: str
    verdict: str
    """`PASS`, `FAIL`, or empty where nothing can be said."""
    started: str
    failing: tuple[str, ...] = ()
    """Each metric that is outside its range, with both."""
    note: str = ""
    """Why there is no verdict, or why the run ended."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What a sweep saw in an account, and did not end."""

    kind: str
    id: str
    region: str
    shape: str
    student: str | None
    lab: str | None
    lease_until: datetime
    step: str
    """What the sweep did or would do."""
    left: bool
    """Whether it is there though it may not be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """What a proof says."""

    ended: datetime | None
    """None where it was cut off."""
    proven: bool
    """Whether nothing is left, and that was looked for everywhere."""
    num_not_scanned: int
    """Places where nobody could look."""
    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts(Statement):
    """All of it: what the ledger comes to, and what else is known of the course."""

    bill: Reconciliation | None = None
    """None where none was imported."""
    outcomes: tuple[Outcome, ...] = ()
    sweep: Sweep | None = None
    problems: tuple[str, ...] = ()
    """Records that could not be read."""
    anonymous: bool = False

"""Which of a student's runs of a lab is graded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from clusterlab.config import Scale
from clusterlab.course.grade.collect import Found
from clusterlab.course.grade.due import lateness
from clusterlab.course.grade.take import Take
from clusterlab.report.results import Entry

TEN_THOUSANDTH = Decimal("0.0001")


def valid(found: Found, scale: Scale) -> bool:
    """Whether it can be graded: its holder's own, at the class's scale, succeeded, and nowhere against itself."""
    own = found.student == found.holder and not found.faults
    return own and found.entry.succeeded and found.submitted is not None and _scale(found) == scale


def choose(runs: Sequence[Found], due: datetime | None, take: Take) -> Found | None:
    """One of valid runs, the same however they are ordered; None of none."""
    if not runs:
        return None
    in_time = [each for each in runs if lateness(submitted(each), due) is None]
    best = take is Take.BEST

    def order(each: Found) -> tuple[Any, ...]:
        score = _rank(each) if best else Decimal(0)
        at = submitted(each).timestamp()
        return (score, at if in_time else -at, each.run.run_id, each.entry.folder.as_posix())

    return max(in_time or runs, key=order)


def score_of(entry: Entry) -> Decimal | None:
    """The share of its expectations that a run meets, from 0 to 1; None where nothing is expected."""
    verdicts = [each.verdict for each in entry.results if each.verdict]
    if not verdicts:
        return None
    return (Decimal(verdicts.count("PASS")) / len(verdicts)).quantize(TEN_THOUSANDTH)


def submitted(found: Found) -> datetime:
    """When a valid run ended; ValueError of one that has no end."""
    at = found.submitted
    if at is None:
        raise ValueError(f"{found.run.run_id}: has no end")
    return at


def _rank(found: Found) -> Decimal:
    score = score_of(found.entry)
    return Decimal(-1) if score is None else score


def _scale(found: Found) -> object:
    return found.run.asked.config.get("scale")

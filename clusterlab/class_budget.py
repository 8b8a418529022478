"""What a class may spend, in USD of the course, a team and a student, and what of a shared cluster a student uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from clusterlab.cost.money import checked_usd
from clusterlab.document import Document
from clusterlab.errors import InputError

WINDOW_DAYS = 7
LONGEST_WINDOW_DAYS = 365


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """What may be spent; None where nobody has said."""

    course_usd: Decimal | None
    student_usd: Decimal | None
    team_usd: Decimal | None = None
    """Of each team, by what its students launch."""

    def caps(
        self, course: str, teams: Mapping[str, object], students: tuple[str, ...]
    ) -> dict[tuple[str, str], Decimal]:
        """Of whom what cap is said, by scope and name, as the ledger has them."""
        named = {
            "course": (self.course_usd, [course]),
            "team": (self.team_usd, teams),
            "student": (self.student_usd, students),
        }
        return {(scope, name): usd for scope, (usd, names) in named.items() if usd is not None for name in names}


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What each student may use of the shared cluster; None for as much as it has."""

    gpus: Decimal | None
    """At once; of a GPU that jobs share, a part."""
    gpu_hours: Decimal | None
    """In any window of `window_days`."""
    window_days: int


def read_budget(document: Document, key: str) -> Budget:
    """Who may spend what; what is wrong goes to the document's problems."""
    document.refuse_unknown(key, {"course", "team", "student"})
    return Budget(
        course_usd=_usd(document, f"{key}.course"),
        team_usd=_usd(document, f"{key}.team"),
        student_usd=_usd(document, f"{key}.student"),
    )


def read_limits(document: Document, key: str) -> Limits:
    """What a student may use; what is wrong goes to the document's problems."""
    document.refuse_unknown(key, {"gpus", "gpu_hours", "window_days"})
    window_days = document.integer_at(f"{key}.window_days", default=WINDOW_DAYS)
    if not 1 <= window_days <= LONGEST_WINDOW_DAYS:
        document.complain(f"{key}.window_days", f"{window_days}; allowed: 1 to {LONGEST_WINDOW_DAYS}")
    return Limits(
        gpus=_above_0(document, f"{key}.gpus"),
        gpu_hours=_above_0(document, f"{key}.gpu_hours"),
        window_days=window_days,
    )


def _above_0(document: Document, key: str) -> Decimal | None:
    if document.at(key) is None:
        return None
    number, known = document.decimal_at(key), len(document.problems)
    if number <= 0 and len(document.problems) == known:
        document.complain(key, f"{number}; allowed: a number above 0, or no such key")
    return number


def _usd(document: Document, key: str) -> Decimal | None:
    if document.at(key) is None:
        return None
    try:
        usd = checked_usd(document.decimal_at(key), path=str(document.path), key=key)
    except InputError as error:
        document.problems.extend(error.problems)
        return None
    if not usd:
        document.complain(key, f"{usd} lets nobody launch anything; allowed: USD above 0, or no such key")
    return usd

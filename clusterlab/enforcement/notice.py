"""A notice: that a student, a team or a course has spent so much of its cap; and who carries it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from clusterlab.enforcement.threshold import told
from clusterlab.ledger.spending import Spending


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """What is told, once for each threshold of a cap."""

    course: str
    spending: Spending
    percent: int
    """The threshold that is passed."""
    at: datetime
    follows: str = ""
    """What happens now; empty below the last threshold."""

    @property
    def subject(self) -> str:
        """On one line."""
        budget = self.spending.budget
        return f"{self.course}: {budget.scope} {budget.name} has spent {self.percent} % of the budget"

    @property
    def text(self) -> str:
        """A few lines, without a line end."""
        budget, unknown = self.spending.budget, self.spending.spent.num_unknown
        lines = [f"{told(self.spending)}, by {self.at:%Y-%m-%d %H:%M} UTC."]
        lines.append(f"With what is reserved, {budget.held_usd:.2f} USD are held; {budget.free_usd or 0:.2f} are free.")
        if unknown:
            lines.append(f"The price of {unknown} in use is not known, so it is more than that.")
        return "\n".join([*lines, *([self.follows] if self.follows else [])])

    def as_json(self) -> dict[str, Any]:
        """As JSON values, dollars as texts."""
        head = {"at": self.at.isoformat(), "course": self.course, "percent": self.percent}
        return head | self.spending.as_json() | {"subject": self.subject, "text": self.text}


class Notifier(Protocol):
    """Who carries a notice to one place."""

    @property
    def name(self) -> str:
        """What tells it from others, in messages and in what is remembered; nothing of it is secret."""

    @property
    def service(self) -> str:
        """What it needs to answer; several may share one."""

    def notify(self, notice: Notice) -> None:
        """Deliver it.

        Raises:
            ClusterlabError: this one is refused.
            UnreachableError: none can be delivered now; StorageError where the service is a disk.
        """

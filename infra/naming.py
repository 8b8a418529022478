"""What everything of a class is called, and the tags that it carries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from clusterlab.tags import LEASE_FORMAT

LAB = "infra"
"""The value of the tag `lab` on what no lab launched."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Naming:
    """The names and the tags of one class."""

    course: str
    lease_until: datetime
    """In UTC, a little after the class ends."""

    @property
    def name(self) -> str:
        """Of what there is one of in a class."""
        return f"clusterlab-{self.course}"

    def of(self, part: str) -> str:
        """Of one part of a class, such as `clusterlab-llm-2026-node`."""
        return f"{self.name}-{part}"

    def tags(self, part: str) -> dict[str, str]:
        """The cost tags and the `Name` of one part; no student's, since a student's resource has a launch's lease."""
        return {
            "Name": self.of(part),
            "course": self.course,
            "lab": LAB,
            "lease-until": self.lease_until.strftime(LEASE_FORMAT),
        }

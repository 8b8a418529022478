"""Whose resources a look at an account is for: those with a course's tag, or with ids that another record has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """Whose resources are looked for."""

    courses: frozenset[str] | None
    """None for everybody's."""
    skipped: frozenset[str] = frozenset()
    """Buckets that are not opened."""
    strays: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By region ids of what is theirs by another record, should it have lost its tag."""
    only: tuple[str, ...] = ()
    """Ids, in place of the tag."""

    def filters(self, ids: str = "") -> list[dict[str, Any]]:
        """For EC2, which then sends no more than is wanted; `ids` is its name of the ids."""
        if self.only:
            return [{"Name": ids, "Values": list(self.only)}]
        return [{"Name": "tag:course", "Values": sorted(self.courses)}] if self.courses else []

    def wants(self, tags: dict[str, str]) -> bool:
        """Whether a resource with these tags is looked for, whatever the cloud let through."""
        return self.courses is None or tags.get("course") in self.courses

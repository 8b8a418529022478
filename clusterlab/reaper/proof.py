"""The proof of a sweep: what was there, what was done to each, what is left, and what could not be looked at."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clusterlab.reaper.resource import Resource
from clusterlab.reaper.scan import Look
from clusterlab.reaper.step import Step

FORMAT = "clusterlab-proof-1"
SPARED = (Step.LEASED, Step.KEPT)
"""Steps of what may be there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One resource of the course, and what became of it."""

    resource: Resource
    step: Step
    lease_until: datetime
    lease: str
    """By which rule that is its lease."""
    why: str
    error: str | None
    """What the cloud answered last, where it refused."""
    there: bool
    """Whether it is still there."""

    @property
    def left(self) -> bool:
        """Whether it is there though it may not be."""
        return self.there and self.step not in SPARED

    def as_json(self) -> dict[str, Any]:
        """For the proof."""
        each = self.resource
        return {
            "kind": each.kind.value,
            "id": each.id,
            "region": each.region,
            "shape": each.shape,
            "state": each.state,
            "tags": each.tags,
            "lease_until": self.lease_until.isoformat(),
            "lease": self.lease,
            "step": self.step.value,
            "why": self.why,
            "error": self.error,
            "there": self.there,
            "left": self.left,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """What a sweep saw and did."""

    account: str
    courses: Sequence[str]
    regions: Sequence[str]
    whole: bool
    """Whether these are all regions of the account."""
    dry_run: bool
    began: datetime
    ended: datetime | None
    """None of a sweep that was cut off."""
    entries: Sequence[Entry]
    looks: Sequence[Look]
    unused: Sequence[str]
    """Names of the keep-list that nothing bears."""

    @property
    def left(self) -> list[Entry]:
        """What is there over its lease."""
        return [entry for entry in self.entries if entry.left]

    @property
    def failed(self) -> list[Look]:
        """Where nobody could look."""
        return [look for look in self.looks if look.error]

    @property
    def proven(self) -> bool:
        """Whether nothing is left, and that was looked for everywhere."""
        return self.ended is not None and bool(self.looks) and not self.left and not self.failed

    @property
    def faults(self) -> list[str]:
        """What went wrong, one a line: what could not be looked at, and what the cloud refused."""
        refused = [f"{entry.resource.region}: {entry.resource}: {entry.error}" for entry in self.entries if entry.error]
        return [*map(str, self.failed), *refused]

    def as_json(self) -> dict[str, Any]:
        """The proof as a document."""
        return {
            "format": FORMAT,
            "proven": self.proven,
            "num_left": len(self.left),
            "account": self.account,
            "courses": list(self.courses),
            "regions": list(self.regions),
            "all_regions": self.whole,
            "dry_run": self.dry_run,
            "began": self.began.isoformat(),
            "ended": self.ended.isoformat() if self.ended else None,
            "not_scanned": [look.as_json() for look in self.failed],
            "keep_list_unused": list(self.unused),
            "resources": [entry.as_json() for entry in self.entries],
            "scanned": [look.as_json() for look in self.looks if not look.error],
        }

    def text(self) -> str:
        """The proof as it is written."""
        return by_line(self.as_json())


def by_line(document: Mapping[str, Any]) -> str:
    """JSON with a line for each key and for each thing in its list or mapping: for people, and fast to write."""
    shown = (f"{json.dumps(key)}: {_lines(value)}" for key, value in document.items())
    return "{\n" + ",\n".join(shown) + "\n}\n"


def _lines(value: Any) -> str:
    if isinstance(value, list) and value:
        return "[\n " + ",\n ".join(map(json.dumps, value)) + "\n]"
    if isinstance(value, dict) and value:
        return "{\n " + ",\n ".join(f"{json.dumps(key)}: {json.dumps(each)}" for key, each in value.items()) + "\n}"
    return json.dumps(value)

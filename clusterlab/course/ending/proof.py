"""The proof of a class's end: a sweep's, with what was kept and what the ledger came to; no end forgets another's.

`clusterlab report --proof` reads it as it reads the reaper's.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clusterlab.errors import InputError, Problem, StorageError
from clusterlab.reaper.proof import FORMAT, Entry, Proof, by_line
from clusterlab.reaper.resource import Kind, Resource
from clusterlab.reaper.scan import Scan
from clusterlab.reaper.step import Step
from clusterlab.reaper.sweep import Verdict
from clusterlab.run import write_atomically

WHY = "the class is over"


@dataclass(frozen=True, kw_only=True, slots=True)
class Glance:
    """One look at the whole account."""

    at: datetime
    num_found: int
    num_left: int
    num_failed: int
    """Places where nobody could look."""

    @property
    def clean(self) -> bool:
        """Whether nothing was there that may not be, and everything could be looked at."""
        return not self.num_left and not self.num_failed

    def as_json(self) -> dict[str, Any]:
        """For the proof."""
        return {
            "at": self.at.isoformat(),
            "num_found": self.num_found,
            "num_left": self.num_left,
            "num_not_scanned": self.num_failed,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassProof:
    """What an end of a class saw and did, and those before it."""

    sweep: Proof
    glances: tuple[Glance, ...]
    age_seconds: float
    """Between the last two looks, at least."""
    kept: tuple[Mapping[str, Any], ...]
    keep: Mapping[str, str]
    """The keep-list."""
    clusters: tuple[str, ...]
    """SkyPilot's, that it ended itself."""
    ledger: Mapping[str, Any] | None
    """None where none is named."""
    problems: tuple[str, ...]
    blind: tuple[str, ...] = ()
    """Clouds of the class where nobody looks."""

    @property
    def done(self) -> bool:
        """Whether there is nothing more to do: all is gone, by two looks, and the stack and the ledger are through."""
        return self.sweep.ended is not None and not self.problems and not self.sweep.left and not self.sweep.failed

    @property
    def proven(self) -> bool:
        """Whether nothing of the class is left in a cloud."""
        return self.done and self.sweep.proven and len(self.glances) > 1

    def as_json(self) -> dict[str, Any]:
        """The proof as a document."""
        return self.sweep.as_json() | {
            "proven": self.proven,
            "done": self.done,
            "looks": [each.as_json() for each in self.glances],
            "age_seconds": self.age_seconds,
            "totals": self._totals(),
            "kept": list(self.kept),
            "keep_list": dict(self.keep),
            "skypilot_clusters": list(self.clusters),
            "ledger": self.ledger,
            "problems": list(self.problems),
            "not_looked_at": list(self.blind),
        }

    def _totals(self) -> dict[str, Any]:
        entries = self.sweep.entries
        gone = Counter(str(each.resource.kind) for each in entries if not each.there)
        return {
            "num_found": len(entries),
            "num_ended": gone.total(),
            "num_kept": len(self.kept),
            "num_left": len(self.sweep.left),
            "ended_by_kind": dict(sorted(gone.items())),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Paper:
    """Where the proof of a class lies."""

    path: Path

    def read(self, course: str) -> dict[str, Any] | None:
        """The proof of the end before; None where there was none.

        Raises:
            InputError: what lies there is none, or is another course's.
        """
        try:
            document: dict[str, Any] = json.loads(self.path.read_text())
            if document["format"] != FORMAT or document["courses"] != [course]:
                raise ValueError(f"is {document['format']} of {document['courses']}")
            list(map(_earlier, document["resources"]))
        except FileNotFoundError:
            return None
        except (OSError, AttributeError, KeyError, TypeError, ValueError) as error:
            message = f"no proof of {course}: {error!r}; move it away, and the next one begins anew"
            raise InputError(Problem(path=str(self.path), message=message)) from error
        return document

    def update(self, course: str, made: Callable[[dict[str, Any] | None], ClassProof]) -> ClassProof:
        """Make a proof of the one that is there, and put it in its place: what somebody beside us found is in both.

        Raises:
            StorageError: it cannot be written.
            InputError: what lies there is none.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with _alone(self.path.parent):
                proof = made(self.read(course))
                write_atomically(self.path, by_line(proof.as_json()))
        except OSError as error:
            raise StorageError(f"{self.path}: cannot be written: {error}") from error
        return proof


@dataclass(kw_only=True, slots=True)
class Found:
    """All that was ever found of a class, by resource; what an end before found is not forgotten."""

    entries: dict[str, Entry] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Mapping[str, Any] | None) -> Found:
        """What an earlier proof had."""
        earlier = map(_earlier, document["resources"] if document else ())
        return cls(entries={each.resource.key: each for each in earlier})

    def __len__(self) -> int:
        return len(self.entries)

    def judged(self, verdicts: Iterable[Verdict], at: datetime) -> None:
        """What is there, and what becomes of it."""
        for each in verdicts:
            known = self.entries.get(each.resource.key)
            self.entries[each.resource.key] = Entry(
                resource=each.resource,
                step=each.step,
                lease_until=at,
                lease=WHY,
                why=each.why,
                error=known.error if known else None,
                there=True,
            )

    def refused(self, errors: Mapping[str, str]) -> None:
        """What the cloud answered last where it refused."""
        for key, error in errors.items():
            self.entries[key] = replace(self.entries[key], error=error)

    def absorb(self, document: Mapping[str, Any] | None) -> None:
        """What somebody beside us found and we did not."""
        for key, each in Found.of(document).entries.items():
            self.entries.setdefault(key, each)

    def at_last(self, scan: Scan) -> list[Entry]:
        """Each with whether it is there by a scan; what nobody could look at is."""
        there, blind = {each.key for each in scan.resources}, {(look.region, look.kind) for look in scan.failed}
        shown = []
        for key, entry in self.entries.items():
            still = key in there or (entry.there and (entry.resource.region, entry.resource.kind) in blind)
            shown.append(replace(entry, there=still, error=entry.error if still else None))
        return shown


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process of this machine after another into a folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _earlier(values: Mapping[str, Any]) -> Entry:
    resource = Resource(
        kind=Kind(values["kind"]),
        id=values["id"],
        region=values["region"],
        tags=dict(values["tags"]),
        shape=values["shape"],
        state=values["state"],
    )
    return Entry(
        resource=resource,
        step=Step(values["step"]),
        lease_until=datetime.fromisoformat(values["lease_until"]).astimezone(UTC),
        lease=values["lease"],
        why=values["why"],
        error=values["error"],
        there=values["there"] is True,
    )

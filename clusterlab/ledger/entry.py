"""One row of the ledger, and the digest that chains it to the row before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from clusterlab.cost.interval import OWNERS
from clusterlab.cost.money import MICRO

GENESIS = "0" * 64
"""What stands for the digest before the first row."""


class Kind(StrEnum):
    """What a row says."""

    OPEN = "open"
    """The first row: the ledger's currency."""
    CAP = "cap"
    """From here on a student, a team or a course may hold so much."""
    RESERVE = "reserve"
    COMMIT = "commit"
    """The run is launched; what it reserved does not expire any more."""
    INTERVAL = "interval"
    SETTLE = "settle"
    """What the run held becomes what it used."""
    RELEASE = "release"
    """Nothing was launched; what was reserved is free."""
    EXPIRE = "expire"
    """Nobody committed the reservation in time; it is free."""
    CORRECT = "correct"
    CLOSE = "close"
    """The course is over: it may hold nothing more, until somebody gives it a cap again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """Whose a row is; None where nobody is known."""

    student: str | None = None
    team: str | None = None
    course: str | None = None
    lab: str | None = None
    run: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One row, as it lies in the database."""

    seq: int
    """From 1, without gaps."""
    at: str
    """When it was written, in UTC; never before the row before."""
    kind: Kind
    student: str | None
    team: str | None
    course: str | None
    lab: str | None
    run: str | None
    interval: str | None
    """Which interval a row of that kind is of: resource and start."""
    micro_usd: int
    """By how much it raises what its student, team and course hold, in millionths of a dollar."""
    expires: str | None
    """Of a reservation, in UTC."""
    detail: str
    """What else there is to say, as JSON."""
    previous: str
    """The digest of the row before."""
    digest: str

    @classmethod
    def after(
        cls,
        last: Entry | None,
        *,
        at: str,
        kind: Kind,
        owner: Owner,
        micro_usd: int = 0,
        interval: str | None = None,
        expires: str | None = None,
        detail: Mapping[str, Any],
    ) -> Entry:
        """The row that follows another, chained to it."""
        values: dict[str, Any] = {
            "seq": last.seq + 1 if last else 1,
            "at": at,
            "kind": kind,
            **{name: getattr(owner, name) for name in OWNERS},
            "interval": interval,
            "micro_usd": micro_usd,
            "expires": expires,
            "detail": canonical(detail),
            "previous": last.digest if last else GENESIS,
        }
        return cls(**values, digest=digest(values))

    @property
    def usd(self) -> Decimal:
        """By how much it raises what is held."""
        return from_micro(self.micro_usd)

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        return Owner(student=self.student, team=self.team, course=self.course, lab=self.lab, run=self.run)

    def values(self) -> dict[str, Any]:
        """Its columns."""
        return {name: getattr(self, name) for name in COLUMNS}


COLUMNS = tuple(Entry.__dataclass_fields__)


def digest(values: Mapping[str, Any]) -> str:
    """SHA-256 over all columns but the digest itself, as canonical JSON, in hex."""
    return hashlib.sha256(canonical({key: values[key] for key in values if key != "digest"}).encode()).hexdigest()


def canonical(values: Mapping[str, Any]) -> str:
    """JSON in which equal values have equal letters."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def instant(at: datetime) -> str:
    """An instant as the ledger writes it: texts compare as the instants do."""
    return at.isoformat(timespec="microseconds")


def to_micro_usd(usd: Decimal) -> int:
    """Dollars, no finer than a micro-dollar, as a whole number of them."""
    return int((usd / MICRO).to_integral_exact())


def from_micro(micro_usd: int) -> Decimal:
    """A whole number of micro-dollars as dollars."""
    return micro_usd * MICRO

"""An interval: one resource used from one instant to another, by whom, at the shape and price that it began with."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from clusterlab.errors import InputError, Problem
from clusterlab.tags import LABEL, LABEL_RULE

OWNERS = ("student", "team", "course", "lab", "run")
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
MICROSECONDS = Decimal(HOUR // MICROSECOND)
"""Of an hour."""
NO_TIME = timedelta()


class Kind(StrEnum):
    """What is used."""

    COMPUTE = "compute"
    DISK = "disk"
    ADDRESS = "address"
    EGRESS = "egress"
    OTHER = "other"


class Source(StrEnum):
    """Whose record says so."""

    EC2 = "ec2"
    SKY = "sky"
    SLURM = "slurm"
    RAY = "ray"


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A use of one resource; it never changes but that an open one ends.

    Raises:
        InputError: an instant that is not UTC, an end before the start, a negative price, or a tag that is no label.
    """

    resource_id: str
    """As the source calls it, such as `i-0abc` or a Slurm job's number."""
    kind: Kind
    student: str | None
    """None, as the other tags, where the resource carries none: nobody's, and shown as such."""
    team: str | None
    course: str | None
    lab: str | None
    run: str | None
    start: datetime
    end: datetime | None
    """Exclusive; None while it goes on."""
    shape: str
    """Of the resource at its start, such as `g6.xlarge`."""
    region: str
    price_usd_per_hour: Decimal | None
    """At its start, of the whole resource; None where it is not known, which is never 0."""
    price_as_of: date | None
    """The day on which a source showed the price; None where there is no price, or nothing to look up."""
    source: Source

    def __post_init__(self) -> None:
        problems = [
            Problem(path=f"interval of {self.resource_id or '?'}", key=key, message=message)
            for key, message in self._wrong()
        ]
        if problems:
            raise InputError(problems)

    def hours(self, now: datetime) -> Decimal:
        """How long it has been, until `now` where it goes on; 0 where that is before it began."""
        until = now if self.end is None else self.end
        return Decimal(max(until - self.start, NO_TIME) // MICROSECOND) / MICROSECONDS

    def usd(self, now: datetime) -> Decimal | None:
        """What it has cost, not rounded; None where its price is not known."""
        return None if self.price_usd_per_hour is None else self.hours(now) * self.price_usd_per_hour

    def as_json(self) -> dict[str, Any]:
        """As JSON values: instants in ISO 8601, the price as a text."""
        return {field.name: _json(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Interval:
        """Read back what `as_json` wrote.

        Raises:
            InputError: a key is missing or unknown, or its value is none that `as_json` writes.
        """
        end, price, as_of = (values.get(key) for key in ("end", "price_usd_per_hour", "price_as_of"))
        try:
            read = {
                "kind": Kind(values["kind"]),
                "source": Source(values["source"]),
                "start": datetime.fromisoformat(values["start"]),
                "end": None if end is None else datetime.fromisoformat(end),
                "price_usd_per_hour": None if price is None else Decimal(price),
                "price_as_of": None if as_of is None else date.fromisoformat(as_of),
            }
            return cls(**{**values, **read})
        except (KeyError, ValueError, TypeError, InvalidOperation) as error:
            message = f"cannot be read: {error!r}; allowed: what `Interval.as_json` writes"
            raise InputError(Problem(path="interval", message=message)) from error

    def _wrong(self) -> list[tuple[str, str]]:
        wrong = [("resource_id", "empty; allowed: the id that its source gives it")] if not self.resource_id else []
        for key in OWNERS:
            value = getattr(self, key)
            if value is not None and not LABEL.fullmatch(value):
                wrong.append((key, f"{value!r} is not a label; {LABEL_RULE}"))
        for key, instant in (("start", self.start), ("end", self.end)):
            if instant is not None and instant.utcoffset() != timedelta():
                wrong.append((key, f"{instant.isoformat()}; allowed: an instant in UTC that says so"))
        if not wrong and self.end is not None and self.end < self.start:
            wrong.append(("end", f"{self.end.isoformat()} is before the start, {self.start.isoformat()}"))
        price = self.price_usd_per_hour
        if price is not None and (not price.is_finite() or price < 0):
            wrong.append(("price_usd_per_hour", f"{price}; allowed: a number from 0, or None where it is not known"))
        return wrong


def _json(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return f"{value:f}" if isinstance(value, Decimal) else value

"""What one source saw at one instant: every resource of the course that is in use, or was until just now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from clusterlab.cost.interval import OWNERS, Interval, Kind, Source
from clusterlab.tags import LABEL


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """What an hour of a resource costs, and on which day a source showed it."""

    usd_per_hour: Decimal | None = None
    """None where it is not known."""
    as_of: date | None = None


UNKNOWN = Price()


@dataclass(frozen=True, kw_only=True, slots=True)
class Sighting:
    """One resource."""

    resource_id: str
    kind: Kind
    tags: Mapping[str, str]
    """As the source has them; what is no label is nobody's."""
    start: datetime | None
    """Since when it is used; None where the source does not know, which is then since it was first seen."""
    end: datetime | None = None
    """Until when, exclusive; None while it goes on."""
    shape: str
    region: str
    price: Price = UNKNOWN

    def interval(self, source: Source, *, start: datetime, end: datetime | None) -> Interval:
        """Its use from an instant on."""
        owners = {name: self.tags.get(name) for name in OWNERS}
        return Interval(
            resource_id=self.resource_id,
            kind=self.kind,
            **{name: tag if tag and LABEL.fullmatch(tag) else None for name, tag in owners.items()},
            start=start,
            end=end,
            shape=self.shape,
            region=self.region,
            price_usd_per_hour=self.price.usd_per_hour,
            price_as_of=self.price.as_of,
            source=source,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """All that a source saw."""

    source: Source
    at: datetime
    """In UTC."""
    covered: frozenset[str]
    """The regions that answered. Of another one nothing is known, so nothing has ended there."""
    sightings: tuple[Sighting, ...]
    problems: tuple[str, ...] = field(default=())
    """What could not be seen, and why."""

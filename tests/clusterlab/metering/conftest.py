"""A ledger, and what sources see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from clusterlab.cost.interval import Kind, Source
from clusterlab.ledger.ledger import Ledger
from clusterlab.metering.observation import Observation, Price, Sighting

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
TAGS = {"course": "llm-2026", "student": "ana", "lab": "qlora", "run": "r1"}

See = Callable[..., Sighting]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}", begin=True)) as ledger:
        yield ledger


def sighting(**values: object) -> Sighting:
    """A machine at a dollar an hour, running since noon."""
    usual: dict[str, object] = {
        "resource_id": "i-1",
        "kind": Kind.COMPUTE,
        "tags": TAGS,
        "start": NOON,
        "shape": "g6.xlarge",
        "region": "us-east-1",
        "price": Price(usd_per_hour=Decimal(1), as_of=NOON.date()),
    }
    return Sighting(**(usual | values))  # type: ignore[arg-type]  # the tests' own words


def observation(at: datetime, *sightings: Sighting, covered: set[str] | None = None) -> Observation:
    """What EC2 in one region saw."""
    regions = frozenset({"us-east-1"} if covered is None else covered)
    return Observation(source=Source.EC2, at=at, covered=regions, sightings=sightings)

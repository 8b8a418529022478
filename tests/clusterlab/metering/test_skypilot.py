"""Records as `sky.cost_report` of SkyPilot 0.14.1 gives them, with SkyPilot's own Resources."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from clusterlab.catalog import Catalog
from clusterlab.ledger.ledger import Ledger
from clusterlab.metering import skypilot
from clusterlab.metering.meter import meter
from clusterlab.metering.observation import Observation
from tests.clusterlab.metering.conftest import NOON, TAGS

START = int(NOON.timestamp())


def record(
    intervals: list[tuple[int, int | None]], *, cloud: str = "GCP", nodes: int = 2, **resources: Any
) -> dict[str, Any]:
    usual = {"cloud": cloud, "region": "us-east1", "instance_type": "g2-standard-4", "use_spot": False, "labels": TAGS}
    return {
        "name": "c1",
        "cluster_hash": "ab12",
        "num_nodes": nodes,
        "resources": SimpleNamespace(**(usual | resources)),
        "usage_intervals": intervals,
    }


def look(*records: dict[str, Any]) -> Observation:
    return skypilot.observe(records, Catalog.load(), course="llm-2026", at=NOON + timedelta(hours=3))


def test_each_time_that_a_cluster_was_up_is_a_use_of_all_its_nodes(ledger: Ledger) -> None:
    meter(ledger, look(record([(START, START + 3600), (START + 7200, None)])))
    found = sorted(ledger.intervals(), key=lambda each: each.start)
    assert [each.end for each in found] == [NOON + timedelta(hours=1), None]
    assert {each.price_usd_per_hour for each in found} == {2 * Decimal("0.708")}
    assert found[0].shape == "2 x g2-standard-4"


def test_a_cluster_that_ended_is_ended_on_record(ledger: Ledger) -> None:
    meter(ledger, look(record([(START, None)])))
    meter(ledger, look(record([(START, START + 60)])))
    assert [each.end for each in ledger.intervals()] == [NOON + timedelta(minutes=1)]


def test_what_a_closer_source_says_is_not_counted_twice() -> None:
    clouds = ("AWS", "Slurm", "Kubernetes")
    assert look(*(record([(START, None)], cloud=cloud) for cloud in clouds)).sightings == ()


def test_other_courses_are_not_this_one_s() -> None:
    assert (
        look(record([(START, None)], labels={"course": "other"}), record([(START, None)], labels=None)).sightings == ()
    )


def test_a_price_that_the_catalog_lacks_is_not_known() -> None:
    [seen] = look(record([(START, None)], instance_type="a4-highgpu-8g")).sightings
    assert seen.price.usd_per_hour is None

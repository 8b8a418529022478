from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from clusterlab.catalog import Catalog
from clusterlab.course.orphans import Orphan, of_scan, told
from clusterlab.reaper.resource import Kind, Resource
from clusterlab.reaper.scan import Scan

MADE = datetime(2026, 9, 1, 10, tzinfo=UTC)


def resource(name: str, kind: Kind = Kind.INSTANCE, **changed: Any) -> Resource:
    settings: dict[str, Any] = {"shape": "g4dn.xlarge", "state": "running", "tags": {"course": "llm-2026"}}
    return Resource(kind=kind, id=name, region="us-east-1", created=MADE, **settings | changed)


def found(*resources: Resource, known: tuple[str, ...] = ()) -> list[Orphan]:
    return of_scan(Scan(resources=resources, looks=()), frozenset(known), Catalog.load())


def test_machine_that_the_state_does_not_know_is_one_with_its_price() -> None:
    [orphan] = found(resource("i-1"), resource("i-2"), known=("i-2",))
    assert (orphan.resource.id, orphan.usd, orphan.launched) == ("i-1", Decimal("0.526"), False)


def test_disk_of_a_machine_that_is_known_is_none() -> None:
    disk = resource("vol-1", Kind.VOLUME, used_by=frozenset(["i-1"]))
    assert found(resource("i-1"), disk, known=("i-1",)) == []
    assert [each.resource.id for each in found(resource("i-1"), disk)] == ["i-1", "vol-1"]


def test_machine_of_a_node_group_that_is_known_is_none() -> None:
    node = resource("i-1", tags={"course": "llm-2026", "aws:autoscaling:groupName": "eks-gpus-1"})
    assert found(node, known=("eks-gpus-1",)) == []
    assert len(found(node)) == 1


def test_name_of_a_group_that_a_student_wrote_hides_nothing() -> None:
    forged = resource("i-1", tags={"course": "llm-2026", "eks:nodegroup-name": "gpus"})
    assert len(found(forged, known=("gpus",))) == 1


def test_what_a_launch_made_is_told_apart() -> None:
    [orphan] = found(resource("i-1", tags={"course": "llm-2026", "student": "ana"}))
    assert orphan.launched


def test_unknown_price_is_told_as_unknown_and_makes_the_sum_incomplete() -> None:
    lines = list(told(found(resource("i-1"), resource("vol-1", Kind.VOLUME, shape="8 GB", state="available"))))
    assert lines == [
        "us-east-1  instance i-1 (g4dn.xlarge, running)  0.5260 USD/h  made 2026-09-01 10:00 UTC",
        "us-east-1  volume vol-1 (8 GB, available)  unknown USD/h  made 2026-09-01 10:00 UTC",
        "2 not in the state, 0.53 incomplete USD an hour",
    ]


def test_stopped_machine_costs_nothing_itself() -> None:
    assert [each.usd for each in found(resource("i-1", state="stopped"))] == [Decimal(0)]

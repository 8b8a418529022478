"""The whole program of each class keeps to every rule, by what that class has agreed to."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pulumi
import pulumi_aws as aws
import pytest

from clusterlab.cluster import Cluster
from infra.course import Course
from infra.policy.settings import settings
from infra.stack import build
from tests.infra.policy.judged import judge
from tests.infra.policy.programs import AGREED, budget, instance
from tests.infra.test_stack import CLASSES, OURS

UNPRICED = {"shared": "the price of m5.large in us-west-2 is unknown"}
"""Classes, none of ours, at a place of whose machines the catalog has no price: for that alone they are refused."""


@pytest.mark.parametrize("path", CLASSES, ids=lambda path: path.stem)
def test_whole_program_of_a_class_keeps_to_every_rule(path: Path) -> None:
    cluster = Cluster.load(path, to_provision=True)
    found = judge(lambda: build(cluster), settings(cluster))
    unpriced = UNPRICED.get(path.stem, "nothing")
    assert [each for each in found if each.policy != "price" or unpriced not in each.message] == []
    assert bool(found) == (path.stem in UNPRICED)


def test_what_a_class_has_not_agreed_to_is_refused() -> None:
    cluster = Cluster.load(OURS[0], to_provision=True)
    agreed = settings(cluster)
    agreed["cost-tags"] = {"course": "another"}
    agreed["budget"] = {"limitUsd": "1"}
    assert {each.policy for each in judge(lambda: build(cluster), agreed)} == {"cost-tags", "budget"}


@pytest.mark.parametrize("path", CLASSES, ids=lambda path: path.stem)
def test_settings_are_the_class_s(path: Path) -> None:
    cluster = Cluster.load(path, to_provision=True)
    agreed = settings(cluster)
    assert Decimal(agreed["budget"]["limitUsd"]) == cluster.budget.course_usd
    assert agreed["open-ingress"]["sshFrom"] == list(map(str, cluster.network.ssh_from))
    latest = Course.of(cluster).naming.lease_until
    assert timedelta() < datetime.fromisoformat(agreed["lease"]["latest"]) - latest <= timedelta(days=14)


def test_region_of_a_machine_is_its_provider_s() -> None:
    """eu-west-1 has no price of an m5.large, and the class is at home in us-east-1, which has."""

    def program() -> None:
        budget()
        elsewhere = pulumi.ResourceOptions(provider=aws.Provider("elsewhere", region="eu-west-1"))
        instance("server", opts=elsewhere)

    [found] = judge(program, AGREED)
    assert (found.policy, "m5.large in eu-west-1 is unknown" in found.message) == ("price", True)

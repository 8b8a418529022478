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
from tests.infra.test_stack import CLASSES


@pytest.mark.parametrize("path", CLASSES, ids=lambda path: path.stem)
def test_whole_program_of_a_class_keeps_to_every_rule(path: Path) -> None:
    cluster = Cluster.load(path, to_provision=True)
    assert judge(lambda: build(cluster), settings(cluster)) == []


@pytest.mark.parametrize("path", CLASSES, ids=lambda path: path.stem)
def test_what_a_class_has_not_agreed_to_is_refused(path: Path) -> None:
    cluster = Cluster.load(path, to_provision=True)
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

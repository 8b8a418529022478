"""Against an emulation of Service Quotas: moto has no quotas of EC2."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from clusterlab.cluster import Mode
from clusterlab.course.preflight.check import Verdict
from clusterlab.course.preflight.quota import look
from clusterlab.course.preflight.subject import Subject
from clusterlab.reaper.cloud import Cloud
from tests.clusterlab.course.preflight.conftest import Make, Quotas
from tests.clusterlab.course.preflight.test_peak import BIG, SMALL, machine

G, P = "L-DB2E81BA", "L-417A185B"


def accepting(subject: Subject, *machines: Any) -> Subject:
    """A class whose one lab can become these machines."""
    return dataclasses.replace(subject, works=(dataclasses.replace(subject.works[0], machines=machines),))


@pytest.mark.parametrize(("limit", "verdict"), [(11, "FAIL"), (12, "PASS")])
def test_a_quota_is_held_against_the_peak(make: Make, cloud: Cloud, quotas: Quotas, limit: float, verdict: str) -> None:
    quotas.values[G] = limit
    [check] = look(make(), cloud)
    assert (check.verdict, quotas.asked) == (verdict, [("GetServiceQuota", G)])
    assert check.seen.startswith(
        f"us-east-1, Running On-Demand G and VT instances: {limit}; at most 12 vCPUs in the week"
    )
    assert ("--quota-code L-DB2E81BA --desired-value 12 --region us-east-1" in check.todo) == (verdict == "FAIL")


def test_too_little_for_the_dearest_machine_alone_warns(make: Make, cloud: Cloud, quotas: Quotas) -> None:
    quotas.values |= {G: 12, P: 0}
    checks = {check.seen.split(":")[0]: check for check in look(accepting(make(), SMALL, BIG), cloud)}
    assert checks["here, Running On-Demand P instances"].verdict is Verdict.WARN
    assert "at most 288 vCPUs" in checks["here, Running On-Demand P instances"].seen
    assert checks["here, Running On-Demand G and VT instances"].verdict is Verdict.PASS


def test_a_quota_that_nobody_changed_is_the_default(make: Make, cloud: Cloud, quotas: Quotas) -> None:
    quotas.defaults[G] = 0
    [check] = look(make(), cloud)
    assert check.verdict is Verdict.FAIL
    assert quotas.asked == [("GetServiceQuota", G), ("GetAWSDefaultServiceQuota", G)]


@pytest.mark.parametrize("error", ["AccessDeniedException", "UnrecognizedClientException"])
def test_who_may_not_ask_is_told_so_and_never_passed(make: Make, cloud: Cloud, quotas: Quotas, error: str) -> None:
    quotas.values[G] = error
    [check] = look(make(), cloud)
    assert (check.verdict, f"not asked: us-east-1, Running On-Demand G and VT instances: {error}" in check.seen) == (
        Verdict.WARN,
        True,
    )
    assert "needed are 12 vCPUs" in check.todo


def test_another_cloud_s_quotas_are_said_not_to_be_asked(make: Make, cloud: Cloud, quotas: Quotas) -> None:
    quotas.values[G] = 1000
    subject = accepting(make(), SMALL, machine("g2-standard-4", "2", cloud="gcp"))
    found = [(check.verdict, check.seen) for check in look(subject, cloud)]
    assert [verdict for verdict, _ in found] == [Verdict.PASS, Verdict.WARN]
    assert found[1][1].startswith("not asked: gcp here, where labs may take g2-standard-4")


def test_a_machine_in_no_known_quota_warns(make: Make, cloud: Cloud, quotas: Quotas) -> None:
    [check] = look(accepting(make(), machine("trn1.2xlarge", "1")), cloud)
    assert (check.verdict, "trn1.2xlarge" in check.seen, quotas.asked) == (Verdict.WARN, True, [])


def test_a_shared_cluster_is_not_held_against_a_machine_for_each(make: Make, cloud: Cloud, quotas: Quotas) -> None:
    [check] = look(make(mode=Mode.SHARED.value), cloud)
    assert (check.verdict, quotas.asked) == (Verdict.WARN, [])


def test_without_a_roster_there_is_no_peak(make: Make, cloud: Cloud) -> None:
    [check] = look(make(roster=None), cloud)
    assert (check.verdict, check.seen) == (Verdict.WARN, "not asked: nobody knows how many take part")

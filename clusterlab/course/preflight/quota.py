"""Whether AWS lets the class run as many vCPUs at once as its schedule asks for: Service Quotas against the peak."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from clusterlab.cluster import Mode
from clusterlab.course.preflight.check import Check, failed, not_asked, passed, warned
from clusterlab.course.preflight.ec2_quota import SERVICE, Quota
from clusterlab.course.preflight.peak import Need, least, most, uncounted
from clusterlab.course.preflight.subject import Subject
from clusterlab.reaper.cloud import ERRORS, Cloud, code_of, told

NAME = "quota"
NO_OWN_VALUE = "NoSuchResourceException"
"""Of a quota that nobody ever changed in this account: it is then the default."""


def look(subject: Subject, cloud: Cloud) -> Iterator[Check]:
    """Each quota of AWS that some week needs; other clouds' are said not to be asked."""
    if subject.students is None:
        yield not_asked(NAME, "nobody knows how many take part", "mend the roster")
    elif subject.cluster.mode is Mode.SHARED:
        why = "a shared cluster grows to its node groups' limit, and jobs wait beyond it"
        yield not_asked(NAME, why, "compare that limit with Service Quotas by hand")
    else:
        yield from _against_the_peak(subject, len(subject.students), cloud)
    yield from _elsewhere(subject)


def _against_the_peak(subject: Subject, students: int, cloud: Cloud) -> Iterator[Check]:
    low, high = least(subject.works, students), most(subject.works, students)
    for region, quota in sorted(high | low, key=lambda place: (place[0], place[1].name)):
        place = region, quota
        try:
            limit = _limit(cloud.client("service-quotas", region), quota)
        except ERRORS as error:
            todo = f"look at {quota.code} in Service Quotas, {region}: needed are {high.get(place, Need())}"
            yield not_asked(NAME, f"{region}, {quota.name}: {told(error)}", todo)
        else:
            yield _compared(region, quota, limit, low.get(place, Need()), high.get(place, Need()))
    unknown = dict.fromkeys(row.placed for row in uncounted(subject.works))
    if unknown:
        yield not_asked(NAME, f"in no quota that is known: {', '.join(unknown)}", "look at Service Quotas by hand")


def _limit(client: Any, quota: Quota) -> Decimal:
    """In vCPUs: the account's own value, else the default."""
    asked = {"ServiceCode": SERVICE, "QuotaCode": quota.code}
    try:
        answer = client.get_service_quota(**asked)
    except ERRORS as error:
        if code_of(error) != NO_OWN_VALUE:
            raise
        answer = client.get_aws_default_service_quota(**asked)
    return Decimal(str(answer["Quota"]["Value"]))


def _compared(region: str, quota: Quota, limit: Decimal, low: Need, high: Need) -> Check:
    """Too little for the cheapest machines stops the class; for the dearest alone it takes its fallback away."""
    top = max(low, high, key=lambda need: need.vcpus)
    seen = f"{region}, {quota.name}: {limit.normalize():f}; at most {top}, at least {low.vcpus.normalize():f}"
    wanted = f"--quota-code {quota.code} --desired-value {top.vcpus.normalize():f} --region {region}"
    todo = f"`aws service-quotas request-service-quota-increase --service-code {SERVICE} {wanted}`"
    if limit < low.vcpus:
        return failed(NAME, seen, todo)
    return warned(NAME, seen, todo) if limit < top.vcpus else passed(NAME, seen)


def _elsewhere(subject: Subject) -> Iterator[Check]:
    machines = dict.fromkeys((row.cloud, row.region) for work in subject.works for row in work.machines)
    for cloud, region in machines:
        if cloud != "aws":
            names = dict.fromkeys(row.name for row in subject.machines(cloud) if row.region == region)
            why = f"{cloud} {region}, where labs may take {', '.join(names)}: only AWS's quotas are looked at"
            yield not_asked(NAME, why, "look at that cloud's own page of quotas")

"""Launches: what is started, and what is not."""

from __future__ import annotations

from tests.infra.iam.case import cannot, denied, may
from tests.infra.iam.launch import BENS, TAGS, launch
from tests.infra.iam.roles import ACCOUNT, THERE


def without(key: str, **more: str) -> dict[str, str]:
    """Ana's tags without one, and with others."""
    return {name: value for name, value in TAGS.items() if name != key} | more


ADMIN = f"arn:aws:iam::{ACCOUNT}:role/admin"
OTHER_LEASE = without("lease-until", **{"lease-until": "for-ever"})
MISCASED = without("lease-until", **{"Lease-Until": TAGS["lease-until"]})

LAUNCHES = (
    may("student", "launches with all tags", launch(), "what `sky launch` asks for"),
    may("student", "launches a spot machine", launch(spot=True), "what `use_spot` asks for"),
    may("student", "launches on the last day", launch(now="2026-12-19T23:00:00Z"), "the class goes on"),
    may("student", "launches without `team` and `run`", launch(without("run")), "the course may have no teams"),
    denied("student", "launches without any tag", launch({}), "DenyOtherCourse", "nobody would pay"),
    denied("student", "launches with untagged disks", launch(disk_tags={}), "DenyOtherCourse", "a disk costs too"),
    denied(
        "student",
        "launches for another course",
        launch(TAGS | {"course": "nlp-2026"}),
        "DenyOtherCourse",
        "the tag is the class's",
    ),
    denied(
        "student",
        "launches under the course server's name",
        launch(TAGS | {"Name": "clusterlab-llm-2026-server"}),
        "DenyNameOfTheServer",
        "it would be kept when the money is spent",
    ),
    denied("student", "launches as another student", launch(BENS), "DenyOtherStudent", "the tag is the role's"),
    denied("student", "launches another's disks", launch(disk_tags=BENS), "DenyOtherStudent", "the tag is the role's"),
    denied("student", "launches without `lab`", launch(without("lab")), "DenyWithoutLab", "each lab has a budget"),
    denied(
        "student",
        "launches without a lease",
        launch(without("lease-until")),
        "DenyOtherLease",
        "each machine has an end",
    ),
    denied(
        "student",
        "launches with `lease-until=for-ever`",
        launch(OTHER_LEASE),
        "DenyOtherLease",
        "a lease is an instant",
    ),
    denied(
        "student",
        "launches with `Course` for `course`",
        launch(without("course", Course="llm-2026")),
        "DenyWithoutCourse",
        "the reaper would not see it",
    ),
    denied(
        "student",
        "launches with `Student` for `student`",
        launch(without("student", Student="ana")),
        "DenyWithoutStudent",
        "the report would not see it",
    ),
    denied(
        "student",
        "launches with `Lease-Until` for `lease-until`",
        launch(MISCASED),
        "DenyWithoutLeaseUntil",
        "the reaper would not see it",
    ),
    denied("student", "launches off-region", launch(region=THERE), "DenyOffRegion", "regions are the class's"),
    denied(
        "student",
        "launches off-type",
        launch(instance_type="p5en.48xlarge"),
        "DenyOffType",
        "instance types are the class's",
    ),
    denied(
        "student",
        "launches with IMDSv1",
        launch(tokens="optional"),
        "DenyImdsV1",
        "a request that is forged could read the role",
    ),
    denied(
        "student",
        "launches without saying which IMDS",
        launch(tokens=None),
        "DenyImdsV1",
        "the account's default may be v1",
    ),
    denied(
        "student",
        "launches with a disk of 16 TiB",
        launch(disk_gib=16384),
        "DenyLargeVolume",
        "disks are 2 TiB at most",
    ),
    denied(
        "student",
        "launches from a launch template",
        launch(template=True),
        "DenyLaunchTemplate",
        "the template says what nobody saw",
    ),
    denied(
        "student",
        "launches after the class",
        launch(now="2026-12-20T00:00:01Z"),
        "DenyAfterTheClass",
        "nobody looks any more",
    ),
    denied(
        "student, money spent",
        "launches with all tags",
        launch(),
        "DenyLaunch",
        "the budget's action attached the denial",
    ),
    denied(
        "student without a tag",
        "launches with all tags",
        launch(),
        "DenyOtherStudent",
        "a role without `student` is nobody",
    ),
    denied(
        "student with admin",
        "launches without any tag",
        launch({}),
        "DenyOtherCourse",
        "the guard denies whatever is attached",
    ),
    denied(
        "student with admin",
        "launches from a launch template",
        launch(template=True),
        "DenyLaunchTemplate",
        "the guard denies whatever is attached",
    ),
    cannot("student", "launches with an administrator's role", launch(role=ADMIN), "only the node role is passed"),
    cannot("student", "launches in another network", launch(network="nlp-2026"), "the network is the class's"),
    denied(
        "course server, money spent", "launches for Ana", launch(), "DenyLaunch", "the denial is attached to it too"
    ),
    may("course server", "launches for Ana", launch(), "the course's policy said yes"),
    may("course server", "launches for Ben", launch(BENS), "the course's policy said yes"),
    denied(
        "course server",
        "launches without `student`",
        launch(without("student")),
        "DenyWithoutStudent",
        "somebody must pay",
    ),
    denied(
        "course server",
        "launches off-type",
        launch(instance_type="p5en.48xlarge"),
        "DenyOffType",
        "instance types are the class's",
    ),
    denied("node", "launches with all tags", launch(), "DenyOtherStudent", "a node starts nothing"),
    denied(
        "node with admin", "launches with all tags", launch(), "DenyOtherStudent", "a role without `student` is nobody"
    ),
    cannot("instructor", "launches with all tags", launch(), "an instructor launches as a student does"),
)

"""Other ways to a machine than `RunInstances`, and what can be written on a machine later."""

from __future__ import annotations

from tests.infra.iam.case import cannot, denied, may
from tests.infra.iam.evaluator import Request
from tests.infra.iam.launch import BENS, LATER, TAGS, arn, retag
from tests.infra.iam.roles import ACCOUNT

_FLEET = {
    "fleet": "CreateFleet",
    "spot-fleet-request": "RequestSpotFleet",
    "spot-instances-request": "RequestSpotInstances",
}
_GROUP = f"arn:aws:autoscaling:us-east-1:{ACCOUNT}:autoScalingGroup:*:autoScalingGroupName/mine"


def _by(action: str, resource: str) -> tuple[Request, ...]:
    return (Request(action=action, resource=resource),)


PATHS = (
    *(
        cannot(who, f"asks for machines by {action}", _by(f"ec2:{action}", arn(kind, "x-0new")))
        for who in ("student", "student with admin", "node")
        for kind, action in _FLEET.items()
    ),
    cannot("student", "makes a launch template", _by("ec2:CreateLaunchTemplate", arn("launch-template", "lt-0new"))),
    cannot("student", "makes an Auto Scaling group", _by("autoscaling:CreateAutoScalingGroup", _GROUP)),
    cannot(
        "student with admin",
        "makes an Auto Scaling group",
        _by("autoscaling:CreateAutoScalingGroup", _GROUP),
        "the boundary has no such call",
    ),
    cannot("student", "makes a disk without a machine", _by("ec2:CreateVolume", arn("volume", "vol-0new"))),
)

RETAGS = (
    may(
        "student",
        "marks the head of the cluster",
        retag(TAGS | {"ray-node-type": "head", "Name": "sky-head"}),
        "SkyPilot writes all tags again as they are",
    ),
    *(
        denied(
            who,
            "names a machine as the course server is named",
            retag({"Name": "clusterlab-llm-2026-server"}),
            "DenyNameOfTheServer",
            "it would be kept when the money is spent",
        )
        for who in ("student", "course server")
    ),
    may("student", "names a disk", retag({"Name": "mine"}, kind="volume"), "a name costs nothing"),
    denied(
        "student",
        "lengthens the lease",
        retag({"lease-until": LATER}),
        "DenyRetagLeaseUntil",
        "only an instructor does",
    ),
    denied(
        "student",
        "lengthens a disk's lease",
        retag({"lease-until": LATER}, kind="volume"),
        "DenyRetagLeaseUntil",
        "only an instructor does",
    ),
    denied(
        "student",
        "gives the machine to another student",
        retag({"student": "ben"}),
        "DenyRetagStudent",
        "Ben would pay",
    ),
    denied(
        "student",
        "gives the machine to another course",
        retag({"course": "nlp-2026"}),
        "DenyRetagCourse",
        "the reaper would not see it",
    ),
    denied("student", "moves the cost to another lab", retag({"lab": "zero"}), "DenyRetagLab", "each lab has a budget"),
    denied(
        "student",
        "moves the cost to a team",
        retag({"team": "blue"}),
        "DenyRetagTeam",
        "a team that it had not at launch",
    ),
    denied("student", "changes the run", retag({"run": "other"}), "DenyRetagRun", "the ledger knows it by that"),
    denied(
        "student",
        "writes `Lease-Until`",
        retag({"Lease-Until": LATER}),
        "DenyRetagLeaseUntil",
        "IAM takes it for `lease-until`",
    ),
    denied(
        "student with admin",
        "lengthens the lease",
        retag({"lease-until": LATER}),
        "DenyRetagLeaseUntil",
        "the guard denies whatever is attached",
    ),
    cannot("student", "tags another's machine", retag({"Name": "mine"}, BENS), "the machine is not Ana's"),
    denied(
        "student", "claims a machine that has no tags", retag(TAGS, {}), "DenyRetagStudent", "the machine is not Ana's"
    ),
    *(
        cannot(
            who,
            "deletes the lease",
            (
                Request(
                    action="ec2:DeleteTags",
                    resource=arn("instance", "i-0old"),
                    context={
                        "aws:TagKeys": ["lease-until"],
                        "aws:ResourceTag/student": "ana",
                        "aws:ResourceTag/course": "llm-2026",
                    },
                ),
            ),
        )
        for who in ("student", "student with admin", "node", "node with admin", "course server", "instructor")
    ),
    denied("node", "lengthens the lease", retag({"lease-until": LATER}), "DenyRetagLeaseUntil", "a node tags nothing"),
    denied(
        "node with admin",
        "lengthens the lease",
        retag({"lease-until": LATER}),
        "DenyRetagLeaseUntil",
        "the guard denies whatever is attached",
    ),
    cannot("course server", "lengthens the lease", retag({"lease-until": LATER}), "only an instructor does"),
    cannot("course server", "adds a team", retag({"team": "blue"}), "that the launch had not"),
    may("course server", "names a disk", retag({"Name": "mine"}, BENS, kind="volume"), "a name costs nothing"),
    may(
        "course server",
        "marks the head of the cluster",
        retag(TAGS | {"ray-node-type": "head"}),
        "SkyPilot writes all tags again as they are",
    ),
    may("instructor", "lengthens the lease", retag({"lease-until": LATER}), "that is whose it is to say"),
    cannot("instructor", "gives the machine to another student", retag({"student": "ben"}), "the bill would be wrong"),
    cannot(
        "instructor",
        "lengthens another course's lease",
        retag({"lease-until": LATER}, TAGS | {"course": "nlp-2026"}),
        "the machine is not the class's",
    ),
)

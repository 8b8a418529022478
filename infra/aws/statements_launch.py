"""What those who launch may do: a student, and the course server for all of them; and what neither ever can.

Three documents meet. One allows, one denies (the guard), and a boundary keeps both to a list of calls, so that a policy
which somebody attaches by mistake, even `AdministratorAccess`, opens nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from infra.aws.statements import RUNS, SCRATCH, STUDENT, Document, Scope, Statement, allow, deny, document

KEYS = ("course", "lab", "student", "team", "run", "lease-until")
"""The cost tags and the lease; once a machine is launched they stay as they are."""
NEEDED = ("course", "lab", "student", "lease-until")
"""Those without which nothing is launched."""
LEASE_PATTERN = "20??????t??????z"
"""What `clusterlab.tags.LEASE_FORMAT` writes. IAM orders no strings, so how late it may be the reaper says."""
MAX_VOLUME_GIB = 2048
MADE = ("instance", "volume")
"""What a launch makes that costs, and that must carry the tags."""
LOOKS = (
    "ec2:Describe*",
    # SkyPilot finds the bucket of a mount in the list of all, and asks how many vCPUs the account may use.
    "s3:ListAllMyBuckets",
    "servicequotas:GetServiceQuota",
)
ENDS = ("ec2:StopInstances", "ec2:TerminateInstances")
OBJECTS = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
KEY_USES = ("kms:Decrypt", "kms:GenerateDataKey")
SECRET = "secretsmanager:GetSecretValue"  # noqa: S105 - the name of a call
IMAGE_PULLS = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability")
ECR_LOGIN = "ecr:GetAuthorizationToken"


def student(scope: Scope) -> Document:
    """One document for every student; whose machines and whose folder it speaks of, the role's tag `student` says."""
    own = {"aws:ResourceTag/student": STUDENT, "aws:ResourceTag/course": scope.course}
    folders = [f"{part}/{STUDENT}" for part in (RUNS, SCRATCH)]
    return document(
        *_launches(scope),
        allow("TagOwn", ["ec2:CreateTags"], [scope.ec2(kind) for kind in MADE], StringEquals=own),
        allow("EndOwn", ENDS, scope.ec2("instance"), StringEquals=own),
        allow(
            "ListOwnRuns",
            ["s3:ListBucket"],
            scope.bucket,
            # SkyPilot asks whether the bucket is there, which names no prefix.
            StringLikeIfExists={"s3:prefix": [each + end for each in folders for end in ("", "/*")]},
        ),
        allow("KeepOwnRuns", OBJECTS, [f"{scope.bucket}/{each}/*" for each in folders]),
        use_key(scope.key, scope.regions),
    )


def server(scope: Scope) -> Document:
    """The course server's SkyPilot launches and ends for every student; the course's policy there says for whom.

    What is denied is in it too: the server's role is made elsewhere, and takes one document.
    """
    of_course = {"aws:ResourceTag/course": scope.course}
    return document(
        *_launches(scope),
        allow(
            "TagTheCourses",
            ["ec2:CreateTags"],
            [scope.ec2(kind) for kind in MADE],
            StringEquals=of_course,
            StringEqualsIfExists=dict(map(_as_it_is, KEYS)),
        ),
        end_students(scope),
        allow("ListRuns", ["s3:ListBucket"], scope.bucket),
        allow("KeepRuns", OBJECTS, [f"{scope.bucket}/{part}/*" for part in (RUNS, SCRATCH)]),
        use_key(scope.key, scope.regions),
        *_tagged(scope, own=False),
        *_placed(scope),
    )


def guard(scope: Scope) -> Document:
    """What is denied to a student and to a node, whatever else is attached to the role."""
    return document(*_tagged(scope, own=True), *_placed(scope), *map(_kept, KEYS))


def boundary() -> Document:
    """The calls that students and nodes can be allowed at all; it allows nothing by itself."""
    calls = [*LOOKS, "ec2:RunInstances", "ec2:CreateTags", *ENDS, "iam:PassRole"]
    calls += ["s3:ListBucket", *OBJECTS, *KEY_USES, SECRET, ECR_LOGIN, *IMAGE_PULLS]
    return document(allow("NothingElse", calls))


def deny_launch() -> Document:
    """What the budget's action attaches where the money is spent: nothing starts, and everything can be ended."""
    return document(deny("DenyLaunch", ["ec2:RunInstances", "ec2:StartInstances"]))


def end_students(scope: Scope) -> Statement:
    """The end of what was launched for somebody; the course server is the class's too, but no student's."""
    of_course, launched = {"aws:ResourceTag/course": scope.course}, {"aws:ResourceTag/student": "false"}
    return allow("EndStudents", ENDS, scope.ec2("instance"), StringEquals=of_course, Null=launched)


def use_key(key: str, regions: Sequence[str], services: Sequence[str] = ("s3",)) -> Statement:
    """The class's key, through services that encrypt with it and in no other way."""
    via = [f"{service}.{region}.amazonaws.com" for service in services for region in regions]
    return allow("UseTheKey", KEY_USES, key, StringEquals={"kms:ViaService": via})


def _launches(scope: Scope) -> Iterator[Statement]:
    """What a launch of SkyPilot calls, in the class's own network."""
    made = [scope.ec2(kind) for kind in (*MADE, "network-interface", "spot-instances-request")]
    ours = [scope.ec2("subnet"), scope.ec2("security-group")]
    of_course = {"aws:ResourceTag/course": scope.course}
    yield allow("Look", LOOKS)
    yield allow("Launch", ["ec2:RunInstances"], ["arn:aws:ec2:*::image/*", *made])
    yield allow("LaunchInTheNetwork", ["ec2:RunInstances"], ours, StringEquals=of_course)
    at_launch = {"ec2:CreateAction": "RunInstances"}
    yield allow("TagAtLaunch", ["ec2:CreateTags"], [scope.ec2(kind) for kind in MADE], StringEquals=at_launch)
    # SkyPilot is told the role's name, and so asks IAM for nothing.
    to_ec2 = {"iam:PassedToService": "ec2.amazonaws.com"}
    yield allow("PassTheNodeRole", ["iam:PassRole"], scope.role("node"), StringEquals=to_ec2)


def _tagged(scope: Scope, *, own: bool) -> Iterator[Statement]:
    """A launch carries the cost tags, on the machine and on its disks; with `own`, those of the role's student."""
    launch, made = ["ec2:RunInstances"], [scope.ec2(kind) for kind in MADE]
    yield deny("DenyOtherCourse", launch, made, StringNotEquals={"aws:RequestTag/course": scope.course})
    if own:
        yield deny("DenyOtherStudent", launch, made, StringNotEquals={"aws:RequestTag/student": STUDENT})
    yield deny("DenyOtherLease", launch, made, StringNotLike={"aws:RequestTag/lease-until": LEASE_PATTERN})
    # IAM compares a key such as aws:RequestTag/course without regard to case; EC2 and the reaper do not.
    for key in NEEDED:
        sid = f"DenyWithout{_title(key)}"
        yield deny(sid, launch, made, ForAllValues_StringNotEquals={"aws:TagKeys": [key]})
    # The keep-list of enforcement knows the course server by its name.
    server_s = {"aws:RequestTag/Name": f"clusterlab-{scope.course}-server"}
    yield deny("DenyNameOfTheServer", ["ec2:CreateTags"], StringEquals=server_s)


def _placed(scope: Scope) -> Iterator[Statement]:
    """Where, what, how large and until when something is launched, and that nothing else says so in its place."""
    launch, machine, disk = ["ec2:RunInstances"], scope.ec2("instance"), scope.ec2("volume")
    yield deny("DenyOffRegion", launch, StringNotEquals={"aws:RequestedRegion": list(scope.regions)})
    yield deny("DenyOffType", launch, machine, StringNotEquals={"ec2:InstanceType": list(scope.instance_types)})
    yield deny("DenyImdsV1", launch, machine, StringNotEquals={"ec2:MetadataHttpTokens": "required"})
    yield deny("DenyLargeVolume", launch, disk, NumericGreaterThan={"ec2:VolumeSize": str(MAX_VOLUME_GIB)})
    yield deny("DenyLaunchTemplate", launch, Null={"ec2:LaunchTemplate": "false"})
    ends = scope.ends.strftime("%Y-%m-%dT%H:%M:%SZ")
    yield deny("DenyAfterTheClass", launch, DateGreaterThan={"aws:CurrentTime": ends})


def _kept(key: str) -> Statement:
    """A tag is written anew only as it is: SkyPilot writes all of a machine's tags again when it marks the head."""
    asked, now = _as_it_is(key)
    unless = {asked: "false", "ec2:CreateAction": "true"}
    return deny(f"DenyRetag{_title(key)}", ["ec2:CreateTags"], StringNotEquals={asked: now}, Null=unless)


def _as_it_is(key: str) -> tuple[str, str]:
    """A tag that is asked for, and the one that the resource has; `-` where it has none, which is no label."""
    return f"aws:RequestTag/{key}", f"${{aws:ResourceTag/{key}, '-'}}"


def _title(key: str) -> str:
    return key.title().replace("-", "")

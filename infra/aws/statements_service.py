"""What the services that watch over a class may do: the reaper, and AWS Budgets where the money is spent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from infra.aws.statements import PAPERS, Document, allow, document, ec2_of, iam_of
from infra.aws.statements_launch import ENDS, use_key

LOOKS = (
    "ec2:DescribeAddresses",
    "ec2:DescribeImages",
    "ec2:DescribeInstances",
    "ec2:DescribeLaunchTemplates",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeRegions",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSnapshots",
    "ec2:DescribeVolumes",
    "elasticfilesystem:DescribeFileSystems",
    "elasticfilesystem:DescribeMountTargets",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTags",
    "s3:ListAllMyBuckets",
)
"""What `clusterlab.reaper.listing` and `.cloud` call; nothing of it changes anything."""
REMOVALS = {
    "elastic-ip": ("ec2:ReleaseAddress",),
    "instance": ENDS,
    "launch-template": ("ec2:DeleteLaunchTemplate",),
    "network-interface": ("ec2:DeleteNetworkInterface",),
    "security-group": (
        "ec2:DeleteSecurityGroup",
        "ec2:RevokeSecurityGroupEgress",
        "ec2:RevokeSecurityGroupIngress",
    ),
    "volume": ("ec2:DeleteVolume",),
}
"""What `clusterlab.reaper.removal` calls, by the kind of resource of EC2."""
OWNERLESS = {"image": ("ec2:DeregisterImage",), "snapshot": ("ec2:DeleteSnapshot",)}
"""The same, of what has no account in its ARN."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reaped:
    """What the reaper's document speaks of; each name of a resource is its ARN."""

    account: str
    courses: tuple[str, ...]
    regions: tuple[str, ...]
    """Where the bucket can be."""
    bucket: str
    key: str
    queue: str
    """Where an event goes that it failed on."""
    log_group: str


def reaper(reaped: Reaped) -> Document:
    """The calls of `clusterlab.reaper`: it looks at everything, and ends what one of the courses is tagged on."""
    of_course = {"aws:ResourceTag/course": sorted(reaped.courses)}
    return document(
        allow("Look", LOOKS),
        allow("LookIntoBuckets", ["s3:GetBucketTagging", "s3:ListBucketMultipartUploads"], "arn:aws:s3:::*"),
        *(allow(f"End{_kind(where)}", calls, where, StringEquals=of_course) for calls, where in _ends(reaped.account)),
        allow("AbortUploads", ["s3:AbortMultipartUpload"], f"{reaped.bucket}/*"),
        # Without it S3 says "denied" of papers that are not there yet.
        allow("MissPapers", ["s3:ListBucket"], reaped.bucket),
        allow("KeepPapers", ["s3:GetObject", "s3:PutObject"], f"{reaped.bucket}/{PAPERS}/*"),
        use_key(reaped.key, reaped.regions),
        allow("SayWhatFailed", ["sqs:SendMessage"], reaped.queue),
        allow("Log", ["logs:CreateLogStream", "logs:PutLogEvents"], f"{reaped.log_group}:*"),
    )


def budget_action(account: str, course: str, deny_policy: str) -> Document:
    """The budget's action attaches one policy to roles of the class, takes it away again, and nothing else."""
    calls = ["iam:AttachRolePolicy", "iam:DetachRolePolicy"]
    # The course server's role has no path.
    roles = [iam_of(account, course, "role", "*"), f"arn:aws:iam::{account}:role/clusterlab-{course}-server"]
    return document(allow("DenyLaunches", calls, roles, ArnEquals={"iam:PolicyARN": deny_policy}))


def _ends(account: str) -> Iterator[tuple[Sequence[str], str]]:
    """Calls that end something, and the ARN of what they end."""
    for kind, calls in REMOVALS.items():
        yield calls, ec2_of(account, kind)
    for kind, calls in OWNERLESS.items():
        yield calls, f"arn:aws:ec2:*::{kind}/*"
    yield ["elasticloadbalancing:DeleteLoadBalancer"], f"arn:aws:elasticloadbalancing:*:{account}:loadbalancer/*"
    efs = ["elasticfilesystem:DeleteFileSystem", "elasticfilesystem:DeleteMountTarget"]
    yield efs, f"arn:aws:elasticfilesystem:*:{account}:file-system/*"


def _kind(where: str) -> str:
    return where.rpartition(":")[2].removesuffix("/*").title().replace("-", "")

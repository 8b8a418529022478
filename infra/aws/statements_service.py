"""What the services that watch over a class may do: the reaper, and AWS Budgets where the money is spent."""

from __future__ import annotations

from collections.abc import Sequence

from infra.aws.statements import PAPERS, Document, Scope, allow, document
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


def reaper(scope: Scope, courses: Sequence[str], *, queue: str, log_group: str) -> Document:
    """The calls of `clusterlab.reaper`: it looks at everything, and ends what one of the courses is tagged on.

    `queue` and `log_group` are ARNs, of where its failures and its output go.
    """
    of_course = {"aws:ResourceTag/course": sorted(courses)}
    papers = f"{scope.bucket}/{PAPERS}/*"
    ends = [(calls, scope.ec2(kind)) for kind, calls in REMOVALS.items()]
    ends += [(calls, f"arn:aws:ec2:*::{kind}/*") for kind, calls in OWNERLESS.items()]
    balancers = f"arn:aws:elasticloadbalancing:*:{scope.account}:loadbalancer/*"
    ends.append((("elasticloadbalancing:DeleteLoadBalancer",), balancers))
    file_systems = f"arn:aws:elasticfilesystem:*:{scope.account}:file-system/*"
    ends.append((("elasticfilesystem:DeleteFileSystem", "elasticfilesystem:DeleteMountTarget"), file_systems))
    return document(
        allow("Look", LOOKS),
        allow("LookIntoBuckets", ["s3:GetBucketTagging", "s3:ListBucketMultipartUploads"], "arn:aws:s3:::*"),
        *(allow(f"End{_kind(where)}", calls, where, StringEquals=of_course) for calls, where in ends),
        allow("AbortUploads", ["s3:AbortMultipartUpload"], f"{scope.bucket}/*"),
        # Without it S3 says "denied" of papers that are not there yet.
        allow("MissPapers", ["s3:ListBucket"], scope.bucket),
        allow("KeepPapers", ["s3:GetObject", "s3:PutObject"], papers),
        *use_key(scope),
        allow("SayWhatFailed", ["sqs:SendMessage"], queue),
        allow("Log", ["logs:CreateLogStream", "logs:PutLogEvents"], f"{log_group}:*"),
    )


def budget_action(scope: Scope, deny_policy: str) -> Document:
    """The budget's action attaches one policy to the students' roles, takes it away again, and nothing else."""
    one = {"iam:PolicyARN": deny_policy}
    return document(
        allow("DenyLaunches", ["iam:AttachRolePolicy", "iam:DetachRolePolicy"], scope.students, ArnEquals=one)
    )


def _kind(where: str) -> str:
    return where.rpartition(":")[2].removesuffix("/*").title().replace("-", "")

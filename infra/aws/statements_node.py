"""What a node may do, and what an instructor may."""

from __future__ import annotations

from infra.aws.statements import PAPERS, RUNS, SCRATCH, Document, Scope, allow, document, fitting
from infra.aws.statements_launch import ECR_LOGIN, ENDS, IMAGE_PULLS, OBJECTS, SECRET, end_students, use_key

NODE_LOOKS = ("ec2:DescribeInstances", "ec2:DescribeSecurityGroups", "ec2:DescribeVpcs")
"""What SkyPilot's autostop asks on a node before it ends the cluster."""
ENCRYPTED = ("s3", "secretsmanager")
"""Services that keep with the class's key what nodes and instructors use."""
SEEN = (
    "budgets:ViewBudget",
    "ce:GetAnomalies",
    "ce:GetCostAndUsage",
    "ce:GetTags",
    "cloudwatch:DescribeAlarms",
    "ec2:Describe*",
    "elasticfilesystem:DescribeFileSystems",
    "s3:ListAllMyBuckets",
)


def node(scope: Scope) -> Document:
    """Runs in the bucket, images, one secret, and the end of students' machines, which autostop asks for.

    All nodes share it, and who is root on a node has it: so it tags nothing, and it starts nothing, neither what was
    stopped nor anything new.
    """
    return document(
        allow("Look", NODE_LOOKS),
        end_students(scope),
        allow("ListRuns", ["s3:ListBucket"], scope.bucket),
        allow("KeepRuns", OBJECTS, [f"{scope.bucket}/{part}/*" for part in (RUNS, SCRATCH)]),
        use_key(scope.key, scope.regions, ENCRYPTED),
        allow("LogInToImages", [ECR_LOGIN]),
        allow("PullImages", IMAGE_PULLS, scope.repository),
        allow("ReadTheSecret", [SECRET], scope.secret),
    )


def instructor(scope: Scope) -> Document:
    """Everything that a running class needs: see all, end all of the course, lengthen a lease, and put papers in place.

    A class is made and ended with an administrator's credentials, since that makes roles.
    """
    of_course = {"aws:ResourceTag/course": scope.course}
    machines = [scope.ec2("instance"), scope.ec2("volume")]
    folders = [f"{scope.bucket}/{part}/*" for part in (RUNS, SCRATCH, PAPERS)]
    return document(
        allow("Look", SEEN),
        allow("SteerTheCourses", [*ENDS, "ec2:StartInstances"], scope.ec2("instance"), StringEquals=of_course),
        allow("DeleteTheCourses", ["ec2:DeleteVolume"], scope.ec2("volume"), StringEquals=of_course),
        allow(
            "LengthenLeases",
            ["ec2:CreateTags"],
            machines,
            StringEquals=of_course,
            ForAllValues_StringEquals={"aws:TagKeys": ["lease-until"]},
        ),
        allow("List", ["s3:ListBucket"], scope.bucket),
        allow("Keep", OBJECTS, folders),
        use_key(scope.key, scope.regions, ENCRYPTED),
        allow("PutTheSecret", ["secretsmanager:PutSecretValue", "secretsmanager:DescribeSecret"], scope.secret),
        allow("Reap", ["lambda:InvokeFunction"], f"arn:aws:lambda:*:{scope.account}:function:{_reaper(scope)}"),
    )


def _reaper(scope: Scope) -> str:
    return fitting(f"clusterlab-{scope.course}-reaper")

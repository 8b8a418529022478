"""Who can become more than they are, and what the services that watch over a class can do."""

from __future__ import annotations

from tests.infra.iam.case import Case, cannot, may
from tests.infra.iam.cases_launch import LAUNCHES
from tests.infra.iam.cases_tags import PATHS, RETAGS
from tests.infra.iam.cases_use import BUCKETS, KEEP, LOOKS, MACHINES, SECRETS, ask, use_key
from tests.infra.iam.evaluator import Request
from tests.infra.iam.launch import arn, on_machine
from tests.infra.iam.roles import ACCOUNT, BUCKET, DENY_LAUNCH, HERE, INSTRUCTOR, LOGS, QUEUE, SCOPE, THERE

ANAS, BENS_ROLE = SCOPE.iam("role", "student/ana"), SCOPE.iam("role", "student/ben")
ADMIN = f"arn:aws:iam::{ACCOUNT}:role/admin"
ADMIN_POLICY = "arn:aws:iam::aws:policy/AdministratorAccess"
NEW = {"CreateUser": "user/eve", "CreateRole": "role/eve", "CreateAccessKey": "user/eve", "CreatePolicy": "policy/eve"}
RIGHTS = (
    *(
        cannot(who, f"calls iam:{action}", ask(f"iam:{action}", f"arn:aws:iam::{ACCOUNT}:{name}"))
        for who in ("student", "student with admin", "node with admin", "instructor")
        for action, name in NEW.items()
    ),
    *(
        cannot(who, f"calls iam:{action} on the own role", ask(f"iam:{action}", ANAS))
        for who in ("student", "student with admin")
        for action in (
            "AttachRolePolicy",
            "DeleteRolePermissionsBoundary",
            "DetachRolePolicy",
            "PutRolePolicy",
            "TagRole",
            "UntagRole",
            "UpdateAssumeRolePolicy",
        )
    ),
    cannot(
        "student",
        "passes the node role to a Lambda",
        ask("iam:PassRole", SCOPE.role("node"), iam__PassedToService="lambda.amazonaws.com"),
        "only to EC2",
    ),
    cannot(
        "student",
        "passes an administrator's role",
        ask("iam:PassRole", ADMIN, iam__PassedToService="ec2.amazonaws.com"),
        "only the node role",
    ),
    cannot(
        "node",
        "passes the node role",
        ask("iam:PassRole", SCOPE.role("node"), iam__PassedToService="ec2.amazonaws.com"),
        "a node starts nothing",
    ),
    cannot("student", "becomes the instructor", ask("sts:AssumeRole", SCOPE.role("instructor"))),
    cannot("student", "becomes another student", ask("sts:AssumeRole", BENS_ROLE)),
    cannot(
        "student",
        "switches the reaper off",
        ask("events:DisableRule", f"arn:aws:events:{HERE}:{ACCOUNT}:rule/clusterlab-llm-2026-reaper"),
    ),
    cannot(
        "student",
        "raises the budget",
        ask("budgets:ModifyBudget", f"arn:aws:budgets::{ACCOUNT}:budget/clusterlab-llm-2026"),
    ),
    may(
        "instructor",
        "has the reaper run",
        ask("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:{ACCOUNT}:function:clusterlab-llm-2026-reaper"),
        "before its time",
    ),
    cannot(
        "instructor",
        "has another function run",
        ask("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:{ACCOUNT}:function:payroll"),
    ),
    cannot(
        "instructor",
        "raises the budget",
        ask("budgets:ModifyBudget", f"arn:aws:budgets::{ACCOUNT}:budget/clusterlab-llm-2026"),
        "the class's file says it",
    ),
    may(
        "user ana",
        "becomes Ana",
        ask("sts:AssumeRole", ANAS, sts__RoleSessionName="ana"),
        "the account tagged that user `student=ana`",
    ),
    cannot(
        "user ana",
        "becomes Ana by another name",
        ask("sts:AssumeRole", ANAS, sts__RoleSessionName="ben"),
        "CloudTrail would show Ben",
    ),
    cannot(
        "user ana",
        "becomes Ana with a session tag",
        ask("sts:TagSession", ANAS, **{"aws:RequestTag/student": "ben", "aws:TagKeys": "student"}),
        "the tag would replace the role's",
    ),
    cannot(
        "user ben",
        "becomes Ana",
        ask("sts:AssumeRole", ANAS, sts__RoleSessionName="ana"),
        "the account tagged that user `student=ben`",
    ),
    may(
        "user prof",
        "becomes the instructor",
        ask("sts:AssumeRole", SCOPE.role("instructor"), sts__RoleSessionName=INSTRUCTOR),
        "tagged `instructor=llm-2026`",
    ),
    cannot(
        "user prof",
        "becomes an instructor by another name",
        ask("sts:AssumeRole", SCOPE.role("instructor"), sts__RoleSessionName="eve@example.edu"),
        "not in the class's file",
    ),
    cannot(
        "user ana, as instructor",
        "becomes the instructor",
        ask("sts:AssumeRole", SCOPE.role("instructor"), sts__RoleSessionName=INSTRUCTOR),
        "no tag `instructor`",
    ),
)

OURS = {"aws:ResourceTag/course": "llm-2026"}
SYSTEM = f"arn:aws:elasticfilesystem:{HERE}:{ACCOUNT}:file-system/fs-0abc"
BALANCER = f"arn:aws:elasticloadbalancing:{HERE}:{ACCOUNT}:loadbalancer/app/x/1"
CLASSIC = f"arn:aws:elasticloadbalancing:{HERE}:{ACCOUNT}:loadbalancer/x"
ENDED = {
    "ec2:StopInstances": arn("instance", "i-0abc"),
    "ec2:TerminateInstances": arn("instance", "i-0abc", THERE),
    "ec2:DeleteVolume": arn("volume", "vol-0abc"),
    "ec2:ReleaseAddress": arn("elastic-ip", "eipalloc-0abc"),
    "ec2:DeleteNetworkInterface": arn("network-interface", "eni-0abc"),
    "ec2:DeleteSnapshot": f"arn:aws:ec2:{HERE}::snapshot/snap-0abc",
    "ec2:DeregisterImage": f"arn:aws:ec2:{HERE}::image/ami-0abc",
    "ec2:DeleteLaunchTemplate": arn("launch-template", "lt-0abc"),
    "ec2:DeleteSecurityGroup": arn("security-group", "sg-0abc"),
    "ec2:RevokeSecurityGroupIngress": arn("security-group", "sg-0abc"),
    "ec2:RevokeSecurityGroupEgress": arn("security-group", "sg-0abc"),
    "elasticfilesystem:DeleteMountTarget": SYSTEM,
    "elasticfilesystem:DeleteFileSystem": SYSTEM,
    "elasticloadbalancing:DeleteLoadBalancer": BALANCER,
}
LOOKED_AT = (
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
SERVERS = f"arn:aws:iam::{ACCOUNT}:role/clusterlab-llm-2026-server"
STREAM = f"{LOGS}:log-stream:x"
UPLOAD = f"{BUCKET}/runs/ana/part"
SERVICES = (
    may("reaper", "looks in every region", tuple(Request(action=each) for each in LOOKED_AT), "what it scans"),
    may("reaper", "looks whose a bucket is", ask("s3:GetBucketTagging", "arn:aws:s3:::payroll"), "by its tags"),
    may(
        "reaper",
        "looks for uploads that nobody completed",
        ask("s3:ListBucketMultipartUploads", BUCKET) + ask("s3:ListBucket", BUCKET),
        "and misses its papers the first time",
    ),
    *(
        may("reaper", f"calls {action} on what is the course's", ask(action, each, **OURS), "a lease ended")
        for action, each in ENDED.items()
    ),
    *(
        cannot(
            "reaper",
            f"calls {action} on what is another course's",
            ask(action, each, **{"aws:ResourceTag/course": "nlp-2026"}),
            "not of the class",
        )
        for action, each in ENDED.items()
    ),
    cannot("reaper", "ends a machine of no course", on_machine("TerminateInstances", {}), "not of the class"),
    may(
        "reaper",
        "ends a classic load balancer",
        ask("elasticloadbalancing:DeleteLoadBalancer", CLASSIC, **OURS),
        "a lease ended",
    ),
    may("reaper", "reads the keep-list", ask("s3:GetObject", KEEP), "before it touches anything"),
    may("reaper", "writes its proof", ask("s3:PutObject", f"{BUCKET}/reaper/proof.json"), "after it"),
    cannot("reaper", "reads a run", ask("s3:GetObject", f"{BUCKET}/runs/ana/r1/run.json")),
    may(
        "reaper",
        "aborts an upload",
        ask("s3:AbortMultipartUpload", UPLOAD),
        "its parts are billed, and nobody sees them",
    ),
    may("reaper", "decrypts its papers", use_key("Decrypt") + use_key("GenerateDataKey"), "the bucket is encrypted"),
    may("reaper", "says what failed", ask("sqs:SendMessage", QUEUE), "the dead-letter queue"),
    may("reaper", "logs", ask("logs:CreateLogStream", STREAM) + ask("logs:PutLogEvents", STREAM), "its output"),
    cannot("reaper", "launches", ask("ec2:RunInstances", arn("instance", "*")), "it ends, and starts nothing"),
    cannot("reaper", "deletes the bucket", ask("s3:DeleteBucket", BUCKET), "buckets, networks and roles stay"),
    may(
        "budget action",
        "attaches the denial to a student",
        ask("iam:AttachRolePolicy", ANAS, iam__PolicyARN=DENY_LAUNCH),
        "the money is spent",
    ),
    may(
        "budget action",
        "attaches the denial to the course server",
        ask("iam:AttachRolePolicy", SERVERS, iam__PolicyARN=DENY_LAUNCH),
        "it launches for all students",
    ),
    may(
        "budget action",
        "takes it away again",
        ask("iam:DetachRolePolicy", ANAS, iam__PolicyARN=DENY_LAUNCH),
        "a new month, or a new limit",
    ),
    cannot(
        "budget action",
        "attaches another policy",
        ask("iam:AttachRolePolicy", ANAS, iam__PolicyARN=ADMIN_POLICY),
        "one policy only",
    ),
    cannot(
        "budget action",
        "takes the guard away",
        ask("iam:DetachRolePolicy", ANAS, iam__PolicyARN=SCOPE.iam("policy", "clusterlab-llm-2026-guard")),
        "one policy only",
    ),
    cannot(
        "budget action",
        "attaches the denial to an administrator",
        ask("iam:AttachRolePolicy", ADMIN, iam__PolicyARN=DENY_LAUNCH),
        "roles of the class only",
    ),
)

CASES: tuple[Case, ...] = (*LAUNCHES, *PATHS, *RETAGS, *MACHINES, *LOOKS, *BUCKETS, *SECRETS, *RIGHTS, *SERVICES)

"""The roles of an example class, with the documents that the program gives them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from infra.aws.statements import Scope, allow, document, trust_instructor, trust_student
from infra.aws.statements_launch import boundary, deny_launch, guard, server, student
from infra.aws.statements_node import instructor, node
from infra.aws.statements_service import Reaped, budget_action, reaper
from tests.infra.iam.evaluator import Principal

ACCOUNT = "111122223333"
COURSE = "llm-2026"
HERE, THERE = "us-east-1", "eu-west-1"
"""A region of the class, and one that is none."""
BUCKET = "arn:aws:s3:::clusterlab-llm-2026"
KEY = f"arn:aws:kms:{HERE}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000"
SECRET = f"arn:aws:secretsmanager:{HERE}:{ACCOUNT}:secret:clusterlab-llm-2026-hf-abcdef"
IMAGES = f"arn:aws:ecr:{HERE}:{ACCOUNT}:repository/clusterlab-llm-2026"
QUEUE = f"arn:aws:sqs:{HERE}:{ACCOUNT}:clusterlab-llm-2026-reaper"
LOGS = f"arn:aws:logs:{HERE}:{ACCOUNT}:log-group:/aws/lambda/clusterlab-llm-2026-reaper"
INSTRUCTOR = "prof@example.edu"

SCOPE = Scope(
    account=ACCOUNT,
    course=COURSE,
    regions=(HERE, "us-west-2"),
    instance_types=("m5.large", "g6.xlarge", "p5.48xlarge"),
    ends=datetime(2026, 12, 20, tzinfo=UTC),
    bucket=BUCKET,
    key=KEY,
    repository=f"{IMAGES}/*",
    secret=SECRET,
)
REAPED = Reaped(
    account=ACCOUNT, courses=(COURSE,), regions=SCOPE.regions, bucket=BUCKET, key=KEY, queue=QUEUE, log_group=LOGS
)
ANYTHING = document(allow("Anything", ["*"]))
"""AdministratorAccess."""
KEY_POLICY = document(allow("Root", ["kms:*"]) | {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}})
"""What AWS gives a key: the account's own policies say who uses it."""
DENY_LAUNCH = SCOPE.iam("policy", "clusterlab-llm-2026-deny-launch")


def documents(scope: Scope = SCOPE) -> dict[str, dict[str, Any]]:
    """Every document of the class, by name."""
    return {
        "student": student(scope),
        "guard": guard(scope),
        "boundary": boundary(),
        "node": node(scope),
        "server": server(scope),
        "deny launch": deny_launch(),
        "instructor": instructor(scope),
        "reaper": reaper(REAPED),
        "budget": budget_action(scope.account, scope.course, DENY_LAUNCH),
        "trust of ana": trust_student(scope.account, "ana"),
        "trust of instructors": trust_instructor(scope.account, scope.course, [INSTRUCTOR]),
    }


def principals(given: dict[str, dict[str, Any]]) -> dict[str, Principal]:
    """Everyone who asks, by name, with such documents."""
    launches, limit = [given["student"], given["guard"]], given["boundary"]
    runs = [given["node"], given["guard"]]
    return {
        "student": _role("student/ana", launches, limit, student="ana"),
        "student with admin": _role("student/ana", [*launches, ANYTHING], limit, student="ana"),
        "student without a tag": _role("student/nobody", launches, limit),
        "student, money spent": _role("student/ana", [*launches, given["deny launch"]], limit, student="ana"),
        "node": _role("node", runs, limit),
        "node with admin": _role("node", [*runs, ANYTHING], limit),
        "course server": _role("server", [given["server"]]),
        "course server, money spent": _role("server", [given["server"], given["deny launch"]]),
        "instructor": _role("instructor", [given["instructor"]]),
        "reaper": _role("reaper", [given["reaper"]]),
        "budget action": _role("budget", [given["budget"]]),
        "user ana": _user("ana", given["trust of ana"], student="ana"),
        "user ben": _user("ben", given["trust of ana"], student="ben"),
        "user prof": _user("prof", given["trust of instructors"], instructor=COURSE),
        "user ana, as instructor": _user("ana", given["trust of instructors"], student="ana"),
    }


def _role(name: str, policies: list[dict[str, Any]], boundary: dict[str, Any] | None = None, **tags: str) -> Principal:
    return Principal(arn=SCOPE.iam("role", name), account=ACCOUNT, policies=policies, boundary=boundary, tags=tags)


def _user(name: str, trust: dict[str, Any], **tags: str) -> Principal:
    """Somebody of the account who may ask for any role."""
    arn = f"arn:aws:iam::{ACCOUNT}:user/{name}"
    asks = document(allow("Ask", ["sts:AssumeRole", "sts:TagSession"]))
    return Principal(arn=arn, account=ACCOUNT, policies=[asks], trust=trust, tags=tags)

"""IAM documents of a class as plain dictionaries, so that they can be read and evaluated where no Pulumi runs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Statement = dict[str, Any]
Document = dict[str, Any]

MAX_NAME = 64
"""Characters that IAM takes in the name of a role, and Lambda in that of a function."""
RUNS, SCRATCH = "runs", "scratch"
"""The parts of the bucket that labs write to; below each a student has a folder (`clusterlab.policy`)."""
PAPERS = "reaper"
"""The part of the bucket that has the reaper's keep-list, sightings and proof; no lab may touch it."""
STUDENT = "${aws:PrincipalTag/student, '-'}"
"""Who asks; `-` is no label, so that a role without the tag is nobody and not everybody."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """What the documents of one class speak of."""

    account: str
    course: str
    regions: tuple[str, ...]
    instance_types: tuple[str, ...]
    ends: datetime
    """In UTC; nothing is launched after it."""
    bucket: str
    """ARN of the class's bucket."""
    key: str
    """ARN of the key that the bucket is encrypted with."""
    repository: str
    """ARN of the class's container images; `*` at its end for all of them."""
    secret: str
    """ARN of the secret that nodes read."""

    def ec2(self, kind: str) -> str:
        """The ARN of all resources of one kind of EC2, such as `instance`, in any region of the account."""
        return ec2_of(self.account, kind)

    def iam(self, kind: str, name: str) -> str:
        """The ARN of a role, an instance profile or a policy of the class."""
        return iam_of(self.account, self.course, kind, name)

    def role(self, part: str) -> str:
        """The ARN of one of the class's roles, such as `node`."""
        return self.iam("role", fitting(f"clusterlab-{self.course}-{part}"))


def ec2_of(account: str, kind: str) -> str:
    """The ARN of all resources of one kind of EC2 in an account, in any region."""
    return f"arn:aws:ec2:*:{account}:{kind}/*"


def iam_of(account: str, course: str, kind: str, name: str) -> str:
    """The ARN of what a class has in IAM; `*` for all of a kind."""
    return f"arn:aws:iam::{account}:{kind}{path_of(course)}{name}"


def path_of(course: str) -> str:
    """The path that what a class has in IAM lies under."""
    return f"/clusterlab/{course}/"


def fitting(name: str) -> str:
    """A name as IAM takes it: one that is too long ends in a part of its hash, and so stays one of a kind."""
    if len(name) <= MAX_NAME:
        return name
    return f"{name[: MAX_NAME - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def allow(sid: str, actions: Sequence[str], resources: Sequence[str] | str = "*", **conditions: Any) -> Statement:
    """A statement that allows, with conditions such as `StringEquals={...}`."""
    return _statement("Allow", sid, actions, resources, conditions)


def deny(sid: str, actions: Sequence[str], resources: Sequence[str] | str = "*", **conditions: Any) -> Statement:
    """A statement that denies, whatever else is allowed."""
    return _statement("Deny", sid, actions, resources, conditions)


def document(*statements: Statement) -> Document:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def trust(principal: dict[str, str], **conditions: Any) -> Document:
    """Who may assume a role. `sts:TagSession` is never allowed: a session's tag would replace the role's `student`."""
    statement: Statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return document(statement | ({"Condition": _spelled(conditions)} if conditions else {}))


def trust_service(service: str, **conditions: Any) -> Document:
    """A role that a service of AWS assumes, such as `ec2`."""
    return trust({"Service": f"{service}.amazonaws.com"}, **conditions)


def trust_student(account: str, student: str) -> Document:
    """Whoever the account has tagged `student=<name>` may be this student, in a session of that name, and nobody else.

    The account's own users, or the sessions that its identity provider makes, carry the tag; the name of the session is
    what CloudTrail shows.
    """
    named = {"aws:PrincipalTag/student": student, "sts:RoleSessionName": student}
    return trust({"AWS": f"arn:aws:iam::{account}:root"}, StringEquals=named)


def trust_instructor(account: str, course: str, emails: Sequence[str]) -> Document:
    """Whoever the account has tagged `instructor=<course>`, in a session that is named for one of the instructors."""
    named = {"aws:PrincipalTag/instructor": course, "sts:RoleSessionName": sorted(emails)}
    return trust({"AWS": f"arn:aws:iam::{account}:root"}, StringEquals=named)


def size(policy: Document) -> int:
    """Characters as IAM counts them."""
    return len(re.sub(r"\s", "", json.dumps(policy)))


def _statement(
    effect: str, sid: str, actions: Sequence[str], resources: Sequence[str] | str, conditions: dict[str, Any]
) -> Statement:
    where = resources if isinstance(resources, str) else list(resources)
    statement = {"Sid": sid, "Effect": effect, "Action": list(actions), "Resource": where}
    return statement | ({"Condition": _spelled(conditions)} if conditions else {})


def _spelled(conditions: dict[str, Any]) -> dict[str, Any]:
    """`ForAllValues_StringEquals` as IAM writes it, which is no name in Python."""
    return {operator.replace("_", ":"): values for operator, values in conditions.items()}

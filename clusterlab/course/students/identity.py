"""Who a student is to AWS: a profile that becomes the student's role, and a kubeconfig that goes by that profile."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from clusterlab.course.place import OWN, write
from clusterlab.errors import InputError, Problem

PROFILE, KUBECONFIG = "aws.ini", "kubeconfig"
ROLES, REGION, CLUSTER_ACCESS = "aws_student_roles", "aws_region", "kubeconfig"
"""What a stack exports of it; a class outside AWS exports none, and only a shared cluster has the last."""


def write_identity(folder: Path, student: str, course: str, outputs: Mapping[str, Any]) -> list[str]:
    """Put what a stack exports for a student into the student's folder; what of it was new.

    Raises:
        InputError: the stack has roles, and none for this student, or exports no kubeconfig that can be read.
        StorageError: the folder cannot be written.
    """
    new = []
    if ROLES in outputs:
        text = _profile(course, student, _role(student, outputs), str(outputs.get(REGION) or ""))
        new += ["identity"] if write(folder / PROFILE, text, mode=OWN) else []
    if CLUSTER_ACCESS in outputs:
        text = _by_profile(outputs[CLUSTER_ACCESS], course)
        new += ["kubeconfig"] if write(folder / KUBECONFIG, text, mode=OWN) else []
    return new


def _role(student: str, outputs: Mapping[str, Any]) -> str:
    roles = outputs[ROLES]
    role = roles.get(student) if isinstance(roles, Mapping) else None
    if not isinstance(role, str) or not role:
        message = "missing; allowed: the role's ARN, as the stack exports it for each student of the roster"
        raise InputError(Problem(path="outputs of the stack", key=f"{ROLES}.{student}", message=message))
    return role


def _profile(course: str, student: str, role: str, region: str) -> str:
    """A part of `~/.aws/config`. The role takes nobody in a session of another name than the student's."""
    lines = [
        f"# Add it to ~/.aws/config. `default` is the profile with your own keys, which the account tagged {student}.",
        f"[profile {course}]",
        f"role_arn = {role}",
        f"role_session_name = {student}",
        "source_profile = default",
        *([f"region = {region}"] if region else []),
    ]
    return "\n".join(lines) + "\n"


def _by_profile(text: object, course: str) -> str:
    """The class's kubeconfig, whose `aws eks get-token` asks as the student's profile.

    Its option `--role-arn` would name the session itself, and the role would refuse it.
    """
    try:
        config = json.loads(str(text))
        for user in config["users"]:
            user["user"]["exec"]["env"] = [{"name": "AWS_PROFILE", "value": course}]
    except (ValueError, TypeError, KeyError) as error:
        message = "no kubeconfig that asks `aws eks get-token`; allowed: as the stack exports it"
        raise InputError(Problem(path="outputs of the stack", key=CLUSTER_ACCESS, message=message)) from error
    return yaml.safe_dump(config, sort_keys=False)

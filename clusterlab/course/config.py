"""SkyPilot's configuration of a class, made of what its stack exports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from clusterlab.errors import InputError, Problem

ADMIN_POLICY = "clusterlab.policy.CoursePolicy"
CLOUDS = ("aws", "gcp")
OF_A_LAUNCH = frozenset({"Name", "lab", "student", "team", "run", "lease-until"})
"""Tags that a launch has of its own: the class's must not stand on a student's machine."""
ALWAYS: dict[str, dict[str, Any]] = {"aws": {"disk_encrypted": True}, "gcp": {"remote_identity": "SERVICE_ACCOUNT"}}
"""What is no export, since there is no choice: SkyPilot 0.14.1 takes no service account of Google's by name."""
TEXTS = {"aws": ("vpc_name", "remote_identity", "security_group_name"), "gcp": ("vpc_name",)}
"""Keys of SkyPilot that a stack exports as `<cloud>_<key>`."""


def skypilot_config(exports: Mapping[str, Any]) -> dict[str, Any]:
    """What a stack exports, as SkyPilot's configuration has it; a cloud of which it exports nothing is left out.

    Raises:
        InputError: an export that SkyPilot needs is missing or of the wrong type, or there is none of any cloud.
    """
    problems: list[Problem] = []
    config: dict[str, Any] = {"admin_policy": ADMIN_POLICY}
    for cloud in CLOUDS:
        if any(name.startswith(f"{cloud}_") for name in exports):
            config[cloud] = _texts(cloud, exports, problems) | ALWAYS[cloud]
            labels = _labels(cloud, exports, problems)
            if labels:
                config[cloud]["labels"] = labels
    if len(config) == 1:
        problems.append(_problem("", f"none of a cloud; allowed: {', '.join(f'{each}_vpc_name' for each in CLOUDS)}"))
    if problems:
        raise InputError(problems)
    return config


def _texts(cloud: str, exports: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    found = {key: exports.get(f"{cloud}_{key}") for key in TEXTS[cloud]}
    for key, value in found.items():
        if not isinstance(value, str) or not value:
            told = "missing" if value is None else f"{value!r}"
            problems.append(_problem(f"{cloud}_{key}", f"{told}; allowed: text, as the stack exports it"))
    return found


def _labels(cloud: str, exports: Mapping[str, Any], problems: list[Problem]) -> dict[str, str]:
    name = f"{cloud}_labels"
    labels = exports.get(name, {})
    if not isinstance(labels, dict) or not all(isinstance(each, str) for each in _flat(labels)):
        problems.append(_problem(name, f"{labels!r}; allowed: a mapping of labels to text"))
        return {}
    return {key: value for key, value in labels.items() if key not in OF_A_LAUNCH}


def _flat(labels: Mapping[Any, Any]) -> Iterator[Any]:
    yield from labels.keys()
    yield from labels.values()


def _problem(key: str, message: str) -> Problem:
    return Problem(path="outputs of the stack", key=key, message=message)

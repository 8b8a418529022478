"""The evaluator: @cloud-copilot/iam-simulate has IAM's rules, and each action's resources and condition keys."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MODULES = HERE.parents[2] / ".venv" / "iam" / "node_modules"
PRESENT = shutil.which("node") and (MODULES.is_dir() or shutil.which("npm"))
MISSING = None if PRESENT else "node or npm is not installed; `apt-get install nodejs npm` installs them"
INSTALL = "make .venv/iam/installed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """A role or a user, and all that says what it may do."""

    arn: str
    account: str
    policies: Sequence[dict[str, Any]]
    boundary: dict[str, Any] | None = None
    trust: dict[str, Any] | None = None
    """Of the role that it asks for, where it asks for one."""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One action on one resource; a call of AWS may be several."""

    action: str
    resource: str = "*"
    context: Mapping[str, str | list[str]] = field(default_factory=dict)
    policy: dict[str, Any] | None = None
    """Of the resource, such as a key's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    allowed: bool
    denied_by: frozenset[str]
    """The statements that denied it; none, where nothing allows it."""
    ignored: frozenset[str]
    """Condition keys that AWS does not have for the action and resource, so that no policy can ask for them."""


def evaluate(asked: Iterable[tuple[Principal, Request]]) -> list[Answer]:
    """The answers, in order; all in one process, which takes most of a second to start."""
    pairs = list(asked)
    # By identity: equal documents are few, and thousands of requests ask about them.
    principals = list({id(who): who for who, _ in pairs}.values())
    index = {id(who): number for number, who in enumerate(principals)}
    requests = [{"who": index[id(who)], **asdict(request), "context": _context(who, request)} for who, request in pairs]
    found = _ask({"principals": [asdict(who) for who in principals], "requests": requests})["answers"]
    return [_answer(each, request) for each, (_, request) in zip(found, pairs, strict=True)]


def levels(actions: Iterable[str]) -> dict[str, tuple[str, bool]]:
    """By action its access level, such as `Write`, and whether it is of particular resources."""
    found = _ask({"actions": sorted(set(actions))})["actions"]
    return {action: (each["accessLevel"], each["scoped"]) for action, each in found.items()}


def _context(who: Principal, request: Request) -> dict[str, Any]:
    return {f"aws:PrincipalTag/{key}": value for key, value in who.tags.items()} | dict(request.context)


def _answer(found: dict[str, Any], request: Request) -> Answer:
    if "error" in found:
        raise AssertionError(f"{request}: {found['error']}")
    return Answer(
        allowed=found["result"] == "Allowed",
        denied_by=frozenset(found["sids"]),
        ignored=frozenset(found["ignored"]),
    )


def _ask(question: dict[str, Any]) -> Any:
    assert MODULES.is_dir(), f"{MODULES}: missing; `{INSTALL}` makes it"
    done = subprocess.run(
        ["node", str(HERE / "evaluate.mjs"), str(MODULES)], input=json.dumps(question), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)

"""What the process that drives Pulumi tells: one event a line, as JSON.

That process is `python -m infra.automation`, since Pulumi is imported in `infra/` only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What a preview would do with one resource."""

    op: str
    """Pulumi's word: create, update, delete, replace, same, ..."""
    kind: str
    """Pulumi's type, such as `aws:ec2/vpc:Vpc`."""
    name: str
    region: str
    """Empty where nothing says it."""
    inputs: Mapping[str, Any]
    """Of the resource as it would be; of one that is deleted, as it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One resource on its way."""

    op: str
    kind: str
    name: str
    phase: str
    """began, done or failed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnostic:
    """What the engine or a cloud said."""

    severity: str
    """warning or error; what is only information is not told."""
    message: str
    name: str = ""
    """The resource's, where it is of one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """A rule of the policy pack that something breaks."""

    policy: str
    message: str
    mandatory: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """What Pulumi knows of a stack."""

    exists: bool
    """Whether there is such a stack at all."""
    known: tuple[str, ...] = ()
    """Every id and name that its resources have, those of what belongs to them included."""
    pending: tuple[str, ...] = ()
    """What was under way when an update was killed, as `creating aws:ec2/instance:Instance server`."""
    kept: tuple[str, ...] = ()
    """Of what is known, what an end of the class kept, and what that stands on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Retained:
    """A resource that the end of its stack left, since it is kept or something that is kept stands on it."""

    id: str
    name: str
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Outputs:
    """What the stack exports."""

    values: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why it ended before its time."""

    kind: str
    """Name of the error's class in `clusterlab.errors`."""
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """It ended well."""

    changes: Mapping[str, int] = field(default_factory=dict)
    """How many resources were changed, by operation."""


Event = Change | Step | Diagnostic | Violation | State | Retained | Outputs | Failure | Done
KINDS: dict[str, type[Event]] = {
    each.__name__: each for each in (Change, Step, Diagnostic, Violation, State, Retained, Outputs, Failure, Done)
}


def to_line(event: Event) -> str:
    """An event as one line of JSON."""
    return json.dumps({"event": type(event).__name__} | asdict(event), default=str)


def from_line(line: str) -> Event:
    """Read back what `to_line` wrote.

    Raises:
        ValueError: it is no such line.
    """
    values = json.loads(line)
    try:
        kind: Any = KINDS[values.pop("event")]
        # JSON knows no tuples.
        given = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        event: Event = kind(**given)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"no event: {line[:200]}") from error
    return event

"""What an agent did on one task, turn by turn: enough to grade it, to count what it took, and to be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from clusterlab.run import append_line, read_lines
from jobs.agents.calls import PYTHON
from jobs.agents.sandbox import STOPPED
from jobs.agents.turn import Role, Turn

TASKS, ATTACKS = "tasks", "attacks"
"""Suites."""


class Ended(StrEnum):
    """Why a task was over."""

    ANSWERED = "answered"
    STEPS = "steps"
    """The limit of steps of a task."""
    TOKENS = "tokens"
    """The limit of tokens of a task."""
    CONTEXT = "context"
    """The conversation is longer than the model can read."""
    MALFORMED = "malformed"
    """Too many messages in a row that were no call."""
    SPENT = "spent"
    """A limit of the whole run."""
    ENDPOINT = "endpoint"
    """The endpoint refused, or is not there, or too slow."""


ABANDONED = (Ended.SPENT, Ended.ENDPOINT)
"""Such a task is tried again when the run goes on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A turn, and what came with it."""

    role: str
    text: str
    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    trusted: bool = True
    refused: bool = False
    """By the guard, or because it was no call."""
    sandbox: str = ""
    """How code ended; empty for everything else."""
    seconds: float = 0.0
    tokens: int = 0
    """Read and written for it."""
    total_tokens: int = 0
    """Of the task so far."""
    total_usd: float = 0.0
    """The same."""

    @classmethod
    def of(cls, turn: Turn, **values: Any) -> Step:
        """Of a turn."""
        call = turn.call
        return cls(
            role=str(turn.role),
            text=turn.text,
            tool=call.tool if call else "",
            arguments=dict(call.arguments) if call else {},
            trusted=turn.trusted,
            refused=turn.refused,
            **values,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """One task, tried once."""

    suite: str
    guarded: bool
    task: str
    kind: str
    question: str
    expected: str
    answer: str
    right: bool
    ended: Ended
    error: str = ""
    """What ended the run with it."""
    steps: tuple[Step, ...]
    num_calls: int
    """Of the policy."""
    malformed: int
    prompt_tokens: int
    new_tokens: int
    usd: float
    seconds: float
    family: str = ""
    """Of the attack."""
    attack: str = ""
    """Its name."""
    canary: str = ""

    @property
    def key(self) -> tuple[str, bool, str]:
        """What no two traces of a run have in common."""
        return self.suite, self.guarded, self.task

    @property
    def tokens(self) -> int:
        """Read and written."""
        return self.prompt_tokens + self.new_tokens

    @property
    def requests(self) -> int:
        """Of a policy each call is one."""
        return self.num_calls

    @property
    def attacked(self) -> bool:
        """Whether the attacker's code was run."""
        return bool(self.canary) and any(self.canary in code for code in ran(self.steps))

    @property
    def num_refused(self) -> int:
        """Calls that the guard stopped."""
        return sum(step.role == Role.TOOL and step.refused and bool(step.tool) for step in self.steps)

    @property
    def num_stopped(self) -> int:
        """Calls that the sandbox ended at a limit."""
        return sum(step.sandbox in STOPPED for step in self.steps)

    def as_values(self) -> dict[str, Any]:
        """For a line of JSON."""
        return asdict(self)

    @classmethod
    def of_values(cls, values: Mapping[str, Any]) -> Trace:
        """Back from such a line."""
        steps = tuple(Step(**step) for step in values["steps"])
        return cls(**{**values, "steps": steps, "ended": Ended(values["ended"])})


def ran(steps: Sequence[Step]) -> Iterable[str]:
    """All code that was run, with the values that it was given: an expression that came as a value is no code."""
    return (
        str(step.arguments.get("code", ""))
        for step in steps
        if step.role == Role.TOOL and step.tool == PYTHON and not step.refused
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Journal:
    """One file of JSON lines; what is in it and was not given up is not done again."""

    path: Path

    def add(self, trace: Trace) -> None:
        """Write a trace to the disk.

        Raises:
            StorageError: it cannot be written.
        """
        append_line(self.path, trace.as_values())

    def all(self) -> list[Trace]:
        """Every task's last trace."""
        traces = map(Trace.of_values, read_lines(self.path))
        return list({trace.key: trace for trace in traces}.values())

    def done(self) -> set[tuple[str, bool, str]]:
        """The keys of those that are over."""
        return {trace.key for trace in self.all() if trace.ended not in ABANDONED}

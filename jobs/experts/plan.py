"""A plan: steps that may take each other's answers, read from what a controller wrote and refused where it is none.

In HuggingGPT's form (Shen et al., 2023) it is a list of task, id, dep and args; `<resource>-0` is the answer of step 0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from clusterlab.errors import ClusterlabError
from jobs.experts.tasks import TASKS, Kind

NOTHING = [-1]
"""The `dep` of a step that takes no other's answer."""
_LINE = re.compile(r"(\d{1,4}) ([\w-]+)((?: \w+=\S+)+)")
_REFERENCE = re.compile(r"<\w+>-(\d{1,4})")
_KEYS = {"task", "id", "dep", "args"}


class PlanError(ClusterlabError):
    """It is no plan, or one that cannot be carried out."""


Expression = tuple[Any, ...]
"""What a step computes: its task, and for each argument a resource's name or another expression."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One task on some arguments."""

    id: int
    task: str
    args: Mapping[str, str | int]
    """Names of resources, or ids of steps whose answers are taken."""

    @property
    def dep(self) -> list[int]:
        """The steps whose answers it takes."""
        return sorted({value for value in self.args.values() if isinstance(value, int)})


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Steps that can be carried out: `checked` makes one."""

    steps: tuple[Step, ...]

    @property
    def tasks(self) -> list[str]:
        """Of the steps in their order."""
        return [step.task for step in self.steps]

    @property
    def last(self) -> list[int]:
        """The steps that no other takes the answer of: their answers are the plan's."""
        taken = {number for step in self.steps for number in step.dep}
        return [step.id for step in self.steps if step.id not in taken]

    def expressions(self) -> dict[int, Expression]:
        """What each step computes, by id: equal where two plans mean the same, however they number it."""
        by_id, found = {step.id: step for step in self.steps}, {}

        def expression(number: int) -> Expression:
            step = by_id[number]
            values = [expression(value) if isinstance(value, int) else value for value in step.args.values()]
            # Which of two texts comes first makes no difference to whether they are the same.
            return step.task, *sorted(values, key=repr)

        for number in by_id:
            found[number] = expression(number)
        return found

    @property
    def meaning(self) -> list[Expression]:
        """What the plan answers, in its order."""
        expressions = self.expressions()
        return [expressions[number] for number in self.last]


def checked(steps: Sequence[Step], resources: Mapping[str, Kind], max_steps: int) -> Plan:
    """A plan of these steps on these resources.

    Raises:
        PlanError: it cannot be carried out; says at which step.
    """
    if not 1 <= len(steps) <= max_steps:
        raise PlanError(f"plan: {len(steps)} steps; allowed: 1 to {max_steps}")
    ids = [step.id for step in steps]
    if len(set(ids)) < len(ids):
        raise PlanError(f"plan: ids {ids}; allowed: each once")
    for step in steps:
        _check(step, set(ids), resources)
    try:
        TopologicalSorter({step.id: step.dep for step in steps}).prepare()
    except CycleError as error:
        cycle = ", ".join(map(str, error.args[1]))
        raise PlanError(f"plan: steps {cycle}: each waits for the other; allowed: no cycle") from error
    return Plan(steps=tuple(steps))


def parse_lines(text: str) -> list[Step]:
    """The short form that the lab's own model writes, a step a line: `1 translation text=#0`.

    Raises:
        PlanError: a line is no step.
    """
    steps = []
    for line in filter(None, map(str.strip, text.splitlines())):
        matched = _LINE.fullmatch(line)
        if matched is None:
            raise PlanError(f"plan: {line[:60]!r} is no step; allowed: such as `1 translation text=#0`")
        pairs = [pair.partition("=") for pair in matched[3].split()]
        args = {name: _reference(value, r"#(\d{1,4})") for name, _, value in pairs}
        if len(args) < len(pairs):
            raise PlanError(f"plan: {line[:60]!r} gives an argument twice; allowed: once")
        steps.append(Step(id=int(matched[1]), task=matched[2], args=args))
    return steps


def parse_json(text: str) -> list[Step]:
    """HuggingGPT's form: the first list in a text.

    Raises:
        PlanError: there is none, or an element of it is no step.
    """
    begin = text.find("[")
    if begin < 0:
        raise PlanError(f"plan: {text[:60]!r} has no list; allowed: a JSON list of steps")
    try:
        steps, _ = json.JSONDecoder().raw_decode(text, begin)
    except (ValueError, RecursionError) as error:
        raise PlanError(f"plan: no JSON: {error}; allowed: a JSON list of steps") from error
    return [_step(values) for values in steps]


def to_lines(plan: Plan) -> str:
    """What `parse_lines` reads, each line with its end."""
    return "".join(f"{step.id} {line_of(step)}\n" for step in plan.steps)


def line_of(step: Step) -> str:
    """A step in the short form, without its id."""
    args = (f"{name}={f'#{value}' if isinstance(value, int) else value}" for name, value in step.args.items())
    return f"{step.task} {' '.join(args)}"


def to_json(plan: Plan) -> str:
    """What `parse_json` reads."""
    return json.dumps(
        [
            {"task": step.task, "id": step.id, "dep": step.dep or NOTHING, "args": _written(step.args)}
            for step in plan.steps
        ]
    )


def _written(args: Mapping[str, str | int]) -> dict[str, str]:
    return {name: f"<resource>-{value}" if isinstance(value, int) else value for name, value in args.items()}


def _check(step: Step, ids: set[int], resources: Mapping[str, Kind]) -> None:
    where = f"plan: step {step.id}"
    if step.task not in TASKS:
        raise PlanError(f"{where}: task {step.task[:60]!r}; allowed: {', '.join(TASKS)}")
    kinds = TASKS[step.task].args
    if set(step.args) != set(kinds):
        raise PlanError(f"{where}: {step.task} with {', '.join(step.args) or 'nothing'}; allowed: {', '.join(kinds)}")
    for name, value in step.args.items():
        if isinstance(value, int) and value not in ids:
            raise PlanError(f"{where}: {name}: there is no step {value}; allowed: {sorted(ids)}")
        if isinstance(value, str) and value not in resources:
            raise PlanError(f"{where}: {name}: {value[:60]!r} is not given; allowed: {', '.join(resources)}, or a step")
        kind = Kind.TEXT if isinstance(value, int) else resources[value]
        if kind is not kinds[name]:
            raise PlanError(f"{where}: {name}: is of kind {kind}; allowed: {kinds[name]}")


def _step(values: Any) -> Step:
    shown = json.dumps(values)[:60]
    if not isinstance(values, dict) or set(values) != _KEYS:
        raise PlanError(f"plan: {shown} is no step; allowed: task, id, dep and args")
    number, args, dep = values["id"], values["args"], values["dep"]
    named = isinstance(args, dict) and all(isinstance(value, str) for value in args.values())
    if not named or not isinstance(values["task"], str) or type(number) is not int or number < 0:
        raise PlanError(f"plan: {shown}; allowed: a name as task, a number as id, and names or references as args")
    step = Step(
        id=number, task=values["task"], args={name: _reference(value, _REFERENCE) for name, value in args.items()}
    )
    if dep != (step.dep or NOTHING):
        raise PlanError(f"plan: step {number}: dep {json.dumps(dep)[:60]}; allowed: {step.dep or NOTHING}, as in args")
    return step


def _reference(value: str, pattern: str | re.Pattern[str]) -> str | int:
    matched = re.fullmatch(pattern, value)
    return value if matched is None else int(matched[1])

"""One request from the controller's decision to the answers: what was right of it, and where it went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from jobs.experts.controllers import Controller, Decision
from jobs.experts.expert_server import Execution, execute
from jobs.experts.plan import Plan
from jobs.experts.requests import Request
from jobs.serving.endpoint import Endpoint
from jobs.thinking.journal import Attempt


class Outcome(StrEnum):
    """Of a request; what is not right has the first thing that went wrong."""

    RIGHT = "right"
    NO_PLAN = "no valid plan"
    WRONG_PLAN = "another plan"
    WRONG_MODEL = "another model"
    FAILED = "a step failed"
    MISTAKEN = "the models' mistake"
    """All was as it should be, and a specialised model was wrong."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Routed(Attempt):
    """One request with one controller. `right` is whether all answers are; `parsed`, whether a plan is valid."""

    shape: str
    new: bool
    outcome: str
    reason: str = ""
    """Why there is no plan, or why steps failed."""
    tasks: list[str] = field(default_factory=list)
    """Of the plan; none where there is none."""
    right_tasks: list[str] = field(default_factory=list)
    """Of the right plan."""
    planned: bool = False
    """Whether the plan means the same as the right one."""
    num_matched: int = 0
    """Steps of the right plan that the plan has."""
    num_routed: int = 0
    """Those of them that have the right model too."""
    answers: list[str | None] = field(default_factory=list)
    last_tasks: list[str] = field(default_factory=list)
    """That those are answers of."""
    num_asked: int = 0
    """Steps that a model answered."""
    num_loaded: int = 0
    """Those for which it had to be loaded."""
    busy_seconds: float = 0.0
    """Of all steps together."""
    wall_seconds: float = 0.0
    """From the first step's begin to the last one's end."""


async def route(
    number: int, request: Request, controller: Controller, experts: Endpoint, *, limit_seconds: float
) -> Routed:
    """Decide, carry out, and judge.

    Raises:
        SpentError, UnreachableError, InputError: of the language model that decides, as `Client.ask` does.
        UnreachableError: the specialised models are gone.
    """
    decision = await controller.decide(request)
    execution = Execution(steps=[])
    if decision.plan is not None:
        execution = await execute(
            experts, decision.plan, decision.models, request.resources, limit_seconds=limit_seconds
        )
    return judge(number, request, controller.name, decision, execution)


def judge(number: int, request: Request, method: str, decision: Decision, execution: Execution) -> Routed:
    """What was right of it."""
    plan = decision.plan
    matched, routed = _matched(request, plan, decision.models)
    answers = [] if plan is None else execution.answers(plan)
    planned = plan is not None and plan.meaning == request.plan.meaning
    asked = execution.asked
    right = tuple(answers) == request.answers
    return Routed(
        method=method,
        problem=number,
        right=right,
        said=decision.said,
        prompt_tokens=decision.prompt_tokens,
        new_tokens=decision.new_tokens,
        requests=decision.requests,
        parsed=plan is not None,
        shape=request.shape,
        new=request.new,
        outcome=_outcome(request, plan, execution, right=right, planned=planned, num_routed=routed),
        reason=decision.problem or "; ".join(execution.errors),
        tasks=[] if plan is None else plan.tasks,
        right_tasks=request.plan.tasks,
        planned=planned,
        num_matched=matched,
        num_routed=routed,
        answers=answers,
        last_tasks=[] if plan is None else [step.task for step in plan.steps if step.id in plan.last],
        num_asked=len(asked),
        num_loaded=sum(step["loaded"] for step in asked),
        busy_seconds=execution.busy_seconds,
        wall_seconds=execution.seconds,
    )


def _matched(request: Request, plan: Plan | None, models: Mapping[int, str]) -> tuple[int, int]:
    """Steps of the right plan that the plan has, and those of them that have the right model too."""
    if plan is None:
        return 0, 0
    right, own = request.plan.expressions(), plan.expressions()
    pairs = Counter((expression, models.get(number, "")) for number, expression in own.items())
    wanted = Counter((expression, request.models[number]) for number, expression in right.items())
    matched = Counter(own.values()) & Counter(right.values())
    return matched.total(), (pairs & wanted).total()


def _outcome(
    request: Request, plan: Plan | None, execution: Execution, *, right: bool, planned: bool, num_routed: int
) -> Outcome:
    if right:
        return Outcome.RIGHT
    if plan is None:
        return Outcome.NO_PLAN
    if not planned:
        return Outcome.WRONG_PLAN
    if num_routed < len(request.plan.steps):
        return Outcome.WRONG_MODEL
    return Outcome.FAILED if execution.errors else Outcome.MISTAKEN

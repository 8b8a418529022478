"""What carries out plans, with stand-ins of models: no Ray is started."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ray.exceptions import ActorDiedError

from jobs.experts.application import Answered, Executor
from jobs.experts.plan import Step, parse_lines

Model = Callable[[str, tuple[Any, ...]], Awaitable[str]]
GRAPH = "0 translation text=text-1\n1 image-to-text image=image-2\n2 sentence-similarity text=#0 text2=#1\n"
NAMES = {0: "tavi", 1: "runes", 2: "same-sentences"}
RESOURCES = {"text-1": "vasi", "image-2": "a drawing"}


class _Models:
    """A handle whose models are a function of name and arguments."""

    def __init__(self, model: Model) -> None:
        self._model, self.name = model, ""
        self.asked: list[tuple[str, tuple[Any, ...]]] = []
        self.num_running = self.most = self.cancelled = 0

    def options(self, *, multiplexed_model_id: str) -> _Asked:
        return _Asked(self, multiplexed_model_id)

    async def run(self, name: str, args: tuple[Any, ...]) -> tuple[str, str, bool]:
        self.asked.append((name, args))
        self.num_running += 1
        self.most = max(self.most, self.num_running)
        try:
            return await self._model(name, args), "replica", True
        finally:
            self.num_running -= 1


class _Asked:
    def __init__(self, models: _Models, name: str) -> None:
        self.models, self._name = models, name

    @property
    def answer(self) -> _Asked:
        return self

    def remote(self, args: tuple[Any, ...]) -> _Response:
        return _Response(self.models, self.models.run(self._name, args))


class _Response:
    def __init__(self, models: _Models, work: Awaitable[tuple[str, str, bool]]) -> None:
        self._models, self._work = models, work

    def __await__(self) -> Any:
        return self._work.__await__()

    def cancel(self) -> None:
        self._models.cancelled += 1


async def _echo(name: str, args: tuple[Any, ...]) -> str:
    await asyncio.sleep(0)
    return f"{name} of {' and '.join(args)}"


def carried_out(
    models: _Models, text: str = GRAPH, names: dict[int, str] = NAMES, *, one_by_one: bool = False, limit: float = 30
) -> list[Answered]:
    steps: list[Step] = parse_lines(text)
    return asyncio.run(Executor(models, limit).run(steps, names, RESOURCES, one_by_one=one_by_one))


def test_each_step_gets_the_answers_that_it_waits_for() -> None:
    models = _Models(_echo)
    found = carried_out(models)
    assert [each.value for each in found] == [
        *("tavi of vasi", "runes of a drawing"),
        "same-sentences of tavi of vasi and runes of a drawing",
    ]
    assert [each.loaded for each in found] == [True] * 3
    assert all(each.begin <= each.end for each in found)
    assert found[2].begin >= max(each.end for each in found[:2])


def test_a_plan_may_number_its_steps_backwards() -> None:
    backwards = "2 sentence-similarity text=#1 text2=#0\n1 translation text=text-1\n0 image-to-text image=image-2\n"
    found = carried_out(_Models(_echo), backwards, {0: "runes", 1: "tavi", 2: "same-sentences"})
    assert found[0].value == "same-sentences of tavi of vasi and runes of a drawing"


def test_branches_are_carried_out_together_unless_one_by_one_is_asked_for() -> None:
    meeting = asyncio.Barrier(2)

    async def meet(name: str, args: tuple[Any, ...]) -> str:
        if name != "same-sentences":
            await meeting.wait()  # Neither ends before the other has begun.
        return await _echo(name, args)

    models = _Models(meet)
    assert carried_out(models)[2].value is not None
    assert models.most == 2
    models = _Models(_echo)
    assert carried_out(models, one_by_one=True)[2].value is not None
    assert models.most == 1


def test_a_step_that_fails_takes_only_those_with_it_that_wait_for_it() -> None:
    async def fail(name: str, args: tuple[Any, ...]) -> str:
        if name == "tavi":
            raise ActorDiedError
        return await _echo(name, args)

    models = _Models(fail)
    found = carried_out(models)
    assert [each.error for each in found] == ["tavi: ActorDiedError", "", "step 0 failed"]
    assert found[1].value == "runes of a drawing"
    assert [name for name, _ in models.asked] == ["tavi", "runes"]


def test_a_model_that_does_not_answer_in_time_is_given_up_and_the_rest_goes_on() -> None:
    async def hang(name: str, args: tuple[Any, ...]) -> str:
        if name == "tavi":
            await asyncio.Event().wait()
        return await _echo(name, args)

    models = _Models(hang)
    found = carried_out(models, limit=0.05)
    assert [each.error for each in found] == ["tavi: no answer within 0.05 s", "", "step 0 failed"]
    assert models.cancelled == 1


def test_a_step_without_a_model_fails_by_itself() -> None:
    found = carried_out(_Models(_echo), names={0: "tavi"})
    assert [each.error for each in found] == ["", "no model was chosen", "step 1 failed"]

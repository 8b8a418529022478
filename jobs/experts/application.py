"""The application of Ray Serve: replicas that share all specialised models, and before them what carries out plans.

Model multiplexing (docs.ray.io): a replica holds a few models, the longest unused makes room; Ray Serve sends a request
to a replica that has its model. Model composition: the executor has a handle to them, and each step's answer goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.experts.plan import Step
from jobs.experts.specialist import Specialist
from jobs.experts.tasks import TASKS


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """What became of a step."""

    id: int
    value: str | None = None
    """None where it failed."""
    error: str = ""
    replica: str = ""
    loaded: bool = False
    """Whether its model had to be loaded for it."""
    begin: float = 0.0
    """Seconds on the executor's clock, from when its arguments were there."""
    end: float = 0.0


class Models:
    """A replica; which model a request is for stands in its handle's `multiplexed_model_id`."""

    def __init__(self, folder: str, max_models: int) -> None:
        import torch
        from ray import serve

        torch.set_num_threads(1)
        self._name = serve.get_replica_context().replica_id.unique_id

        async def specialist(name: str) -> _Loaded:
            return _Loaded(await asyncio.to_thread(Specialist.load, name, Path(folder)))

        # How many a replica holds is only known here, so the decorator is called by hand.
        self._specialist = serve.multiplexed(max_num_models_per_replica=max_models)(specialist)

    async def answer(self, args: tuple[Any, ...]) -> tuple[str, str, bool]:
        """The model's answer, this replica's name, and whether the model had to be loaded."""
        from ray import serve

        loaded = await self._specialist(serve.get_multiplexed_model_id())
        fresh, loaded.fresh = loaded.fresh, False
        (value,) = await asyncio.to_thread(loaded.specialist.answers, [args])
        return value, self._name, fresh


class _Loaded:
    """A model in a replica."""

    def __init__(self, specialist: Specialist) -> None:
        self.specialist = specialist
        self.fresh = True
        """Until it is first used."""


class Executor:
    """Carries out plans: each step as soon as its arguments are there, so that what depends on nothing runs at once."""

    def __init__(self, models: Any, limit_seconds: float) -> None:
        """`models` is a handle to `Models`; a step may take `limit_seconds`."""
        self._models, self._limit_seconds = models, limit_seconds

    async def run(
        self, steps: Sequence[Step], names: Mapping[int, str], resources: Mapping[str, Any], *, one_by_one: bool
    ) -> list[Answered]:
        """What became of each step, in their order; a step fails alone, and with it those that take its answer.

        `names` has the model of each step by its id. With `one_by_one` no two steps run together.
        """
        places = asyncio.Semaphore(1 if one_by_one else len(steps))
        running: dict[int, asyncio.Task[Answered]] = {}

        async def run(step: Step) -> Answered:
            earlier = {number: await running[number] for number in step.dep}
            failed = [number for number, each in earlier.items() if each.value is None]
            if failed:
                return Answered(id=step.id, error=f"step {failed[0]} failed")
            if step.id not in names:
                return Answered(id=step.id, error="no model was chosen")
            values = (step.args[name] for name in TASKS[step.task].args)
            args = tuple(earlier[value].value if isinstance(value, int) else resources[value] for value in values)
            async with places:
                return await self._ask(step.id, names[step.id], args)

        for step in steps:
            running[step.id] = asyncio.create_task(run(step))
        return [await running[step.id] for step in steps]

    async def _ask(self, number: int, name: str, args: tuple[Any, ...]) -> Answered:
        from ray.exceptions import RayError

        begin = time.monotonic()
        response = self._models.options(multiplexed_model_id=name).answer.remote(args)
        try:
            async with asyncio.timeout(self._limit_seconds):
                value, replica, loaded = await response
        except TimeoutError:
            response.cancel()
            return Answered(id=number, error=f"{name}: no answer within {self._limit_seconds:g} s")
        except RayError as error:
            return Answered(id=number, error=f"{name}: {type(error).__name__}")
        return Answered(id=number, value=value, replica=replica, loaded=loaded, begin=begin, end=time.monotonic())

"""Serve all specialised models and what carries out plans over them, by Ray Serve on the loopback.

CLUSTERLAB_API_KEY=secret python -m jobs.experts.server folder --port 8000 --replicas 2 …

This process speaks HTTP; a plan is posted to /v1/plans with what it takes.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jobs.experts import images
from jobs.experts.cards import candidates
from jobs.experts.expert_server import PATH
from jobs.experts.plan import Plan, PlanError, checked, parse_json
from jobs.experts.requests import Resource
from jobs.experts.tasks import Kind
from jobs.serving.body import Body, RefusedError
from jobs.serving.endpoint import KEY_VARIABLE
from jobs.serving.own_ray import own_ray
from jobs.serving.web import Answer, serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a SIGTERM, then give the answers that were asked for."""
    options = _parser().parse_args(arguments)
    key = os.environ.pop(KEY_VARIABLE)  # Replicas need it as little as Ray does.
    with own_ray():
        serve(Plans(_deploy(options), options.max_steps), port=options.port, key=key)
    return 0


class Plans:
    """The protocol: plans in HuggingGPT's form, and what became of each step."""

    def __init__(self, executor: Any, max_steps: int) -> None:
        """`executor` is a handle to `jobs.experts.application.Executor`."""
        self._executor, self._max_steps = executor, max_steps
        self.paths: Mapping[tuple[str, str], Answer] = {("GET", "/health"): self._health, ("POST", PATH): self._run}
        self.open_paths = frozenset({"/health"})

    def error(self, refused: RefusedError) -> dict[str, Any]:
        """As OpenAI's."""
        return {"error": {"message": refused.message}}

    async def _health(self, _: Request) -> Response:
        return Response()

    async def _run(self, request: Request) -> Response:
        body = Body(await request.body())
        resources = _resources(body.value("resources"))
        try:
            steps = parse_json(body.text("plan"))
            plan = checked(steps, {name: each.kind for name, each in resources.items()}, self._max_steps)
        except PlanError as error:
            raise RefusedError(HTTPStatus.BAD_REQUEST, str(error), field="plan") from error
        names, one_by_one = _models(plan, body.value("models")), bool(body.value("one_by_one"))
        values = {name: each.value for name, each in resources.items()}
        answered = await self._executor.run.remote(plan.steps, names, values, one_by_one=one_by_one)
        return JSONResponse({"steps": list(map(dataclasses.asdict, answered))})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m jobs.experts.server")
    parser.add_argument("folder")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--replicas", type=int, default=1, help="that share all models")
    parser.add_argument("--max-models", type=int, default=3, help="in a replica at one time")
    parser.add_argument("--max-steps", type=int, required=True, help="of a plan")
    parser.add_argument("--max-ongoing", type=int, required=True, help="plans at one time; others wait")
    parser.add_argument("--limit-seconds", type=float, required=True, help="for a step")
    return parser


def _deploy(options: argparse.Namespace) -> Any:
    from ray import serve as ray_serve

    from jobs.experts.application import Executor, Models

    # A plan's branches are two, so that each has as many requests on the way at most.
    models = ray_serve.deployment(Models).options(
        num_replicas=options.replicas, ray_actor_options={"num_cpus": 0.1}, max_ongoing_requests=2 * options.max_ongoing
    )
    executor = ray_serve.deployment(Executor).options(
        ray_actor_options={"num_cpus": 0.1}, max_ongoing_requests=options.max_ongoing
    )
    bound = executor.bind(models.bind(options.folder, options.max_models), options.limit_seconds)
    return ray_serve.run(bound, name="experts", route_prefix=None)


def _resources(values: Any) -> dict[str, Resource]:
    """What a plan takes: texts, and images as rows of numbers from 0 to 255."""
    if not isinstance(values, dict):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "resources: allowed: texts and images by name", field="resources")
    return {name: _resource(name, value) for name, value in values.items()}


def _resource(name: str, value: Any) -> Resource:
    import numpy as np

    if isinstance(value, str):
        return Resource(kind=Kind.TEXT, value=value)
    try:
        image = np.asarray(value, np.float32) / 255
    except (TypeError, ValueError):
        image = np.zeros(0)
    if image.shape != (images.HEIGHT, images.WIDTH):
        allowed = f"a text, or {images.HEIGHT} rows of {images.WIDTH} numbers"
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"resources: {name}: allowed: {allowed}", field="resources")
    return Resource(kind=Kind.IMAGE, value=image)


def _models(plan: Plan, values: Any) -> dict[int, str]:
    """The model of each step that has one."""
    values = values if isinstance(values, dict) else {}
    found = {step.id: values[str(step.id)] for step in plan.steps if str(step.id) in values}
    for step in plan.steps:
        names = [expert.name for expert in candidates(step.task)]
        if step.id in found and found[step.id] not in names:
            message = f"models: step {step.id}: {str(found[step.id])[:40]!r}; allowed: {', '.join(names)}"
            raise RefusedError(HTTPStatus.BAD_REQUEST, message, field="models")
    return found


if __name__ == "__main__":
    sys.exit(main())

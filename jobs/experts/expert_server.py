"""The server of the specialised models: how it is started, and how a plan is given to it."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from clusterlab.errors import ClusterlabError, UnreachableError
from jobs.experts.plan import Plan, to_json
from jobs.experts.requests import Resource
from jobs.experts.tasks import Kind
from jobs.launch.environments import OWN
from jobs.serving.endpoint import KEY_VARIABLE, Endpoint
from jobs.serving.settings import ServerSettings

EXPERTS = "experts"
"""What the server is called."""
PATH = "/v1/plans"


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpertServer:
    """An engine, as `jobs.serving.server.serving` starts it: the settings' model is the folder of all models."""

    replicas: int
    max_models: int
    """In a replica at one time."""
    max_steps: int
    """Of a plan."""
    limit_seconds: float
    """For a step."""
    name: str = EXPERTS
    environment: str = OWN
    key_variable: str = KEY_VARIABLE
    health: str = "/health"

    def command(self, settings: ServerSettings, port: int) -> list[str]:
        """A process that speaks HTTP, and a Ray of its own."""
        return [
            *("-m", "jobs.experts.server", settings.model, f"--port={port}", f"--replicas={self.replicas}"),
            *(f"--max-models={self.max_models}", f"--max-steps={self.max_steps}"),
            *(f"--max-ongoing={settings.max_slots}", f"--limit-seconds={self.limit_seconds}"),
        ]

    def environ(self, settings: ServerSettings) -> dict[str, str]:  # noqa: ARG002
        """Nothing is asked of the hub."""
        return {"HF_HUB_OFFLINE": "1", "RAY_USAGE_STATS_ENABLED": "0"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """What became of a plan."""

    steps: list[dict[str, Any]]
    """The fields of `jobs.experts.application.Answered`, in the plan's order."""

    def answers(self, plan: Plan) -> list[str | None]:
        """Of the steps that no other takes the answer of; None where one failed."""
        values = {step["id"]: step["value"] for step in self.steps}
        return [values[number] for number in plan.last]

    @property
    def errors(self) -> list[str]:
        """Of the steps that failed."""
        return [f"step {step['id']}: {step['error']}" for step in self.steps if step["value"] is None]

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The steps that a model answered."""
        return [step for step in self.steps if step["value"] is not None]

    @property
    def busy_seconds(self) -> float:
        """All steps' together."""
        return float(sum(step["end"] - step["begin"] for step in self.asked))

    @property
    def seconds(self) -> float:
        """From the first step's begin to the last one's end; 0 where none was answered."""
        ends = [step["end"] for step in self.asked]
        return float(max(ends) - min(step["begin"] for step in self.asked)) if ends else 0.0


async def execute(
    endpoint: Endpoint,
    plan: Plan,
    models: Mapping[int, str],
    resources: Mapping[str, Resource],
    *,
    limit_seconds: float,
    one_by_one: bool = False,
) -> Execution:
    """Carry out a plan; a step that fails is no error, and what the others answered is there.

    Raises:
        UnreachableError: the server is gone, or said nothing within the limit.
        ClusterlabError: it refused the plan.
    """
    body = {
        "plan": to_json(plan),
        "models": {str(number): name for number, name in models.items()},
        "resources": {name: _written(resource) for name, resource in resources.items()},
        "one_by_one": one_by_one,
    }
    return await asyncio.to_thread(_post, endpoint, body, limit_seconds)


def _written(resource: Resource) -> Any:
    if resource.kind is Kind.TEXT:
        return resource.value
    return (resource.value * 255).round().astype(int).tolist()


def _post(endpoint: Endpoint, body: Mapping[str, Any], limit_seconds: float) -> Execution:
    address = urlsplit(endpoint.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=limit_seconds)
    headers = {"Content-Type": "application/json", **endpoint.headers}
    try:
        connection.request("POST", PATH, json.dumps(body).encode(), headers)
        response = connection.getresponse()
        status, content = response.status, response.read()
    except (http.client.HTTPException, OSError) as error:
        raise UnreachableError(f"{endpoint.url}: the specialised models give no answer: {error!r}") from error
    finally:
        connection.close()
    if status != http.client.OK:
        raise ClusterlabError(f"{endpoint.url}: status {status}: {content[:300].decode(errors='replace')}")
    return Execution(steps=json.loads(content)["steps"])

"""Ray Serve: replicas with dynamic batches, as many as the load asks for, several of them on one GPU."""

from __future__ import annotations

import json
from dataclasses import dataclass

from clusterlab.errors import InputError, Problem
from jobs.launch.environments import OWN
from jobs.serving.endpoint import KEY_VARIABLE
from jobs.serving.settings import ServerSettings
from jobs.serving.transformers import model_options, refuse_beyond_one_process

Named = tuple[tuple[str, str], ...]
"""Names and folders."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RayServe:
    """transformers' `generate` in replicas of Ray Serve, behind OpenAI's protocol."""

    batched: bool = True
    """Whether requests that wait are computed together (`@serve.batch`), up to `max_slots`."""
    min_replicas: int = 1
    max_replicas: int = 1
    """Above `min_replicas` Ray Serve adds some while requests wait, and takes them away after."""
    share: float = 1.0
    """Of a GPU for each replica, or of a CPU where there is no GPU."""
    also: Named = ()
    """Further models that are served beside the first."""
    adapters: Named = ()
    """LoRA adapters of the first model, asked for by their names and loaded when they are (`@serve.multiplexed`)."""
    name: str = "ray-serve"
    environment: str = OWN
    key_variable: str = KEY_VARIABLE
    health: str = "/health"

    def command(self, settings: ServerSettings, port: int) -> list[str]:
        """A process that speaks HTTP, and a Ray of its own.

        Raises:
            InputError: something is asked for that it cannot do.
        """
        refuse_beyond_one_process(settings, self.name)
        if not 1 <= self.min_replicas <= self.max_replicas:
            message = f"{self.min_replicas}; allowed: from 1 to max_replicas, {self.max_replicas}"
            raise InputError(Problem(path="min_replicas", message=message))
        return [
            *("-m", "jobs.serving.ray_server", *model_options(settings, port)),
            f"--max-rows={settings.max_slots if self.batched else 1}",
            *(f"--min-replicas={self.min_replicas}", f"--max-replicas={self.max_replicas}", f"--share={self.share}"),
            *(f"--also={json.dumps(dict(self.also))}", f"--adapters={json.dumps(dict(self.adapters))}"),
        ]

    def environ(self, settings: ServerSettings) -> dict[str, str]:  # noqa: ARG002
        """Models are in folders, and nothing is asked of the hub."""
        return {"HF_HUB_OFFLINE": "1", "RAY_USAGE_STATS_ENABLED": "0"}

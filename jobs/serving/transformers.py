"""transformers' `generate` behind OpenAI's protocol: the baseline that continuous batching is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from clusterlab.errors import InputError, Problem
from jobs.launch.environments import OWN
from jobs.serving.endpoint import KEY_VARIABLE
from jobs.serving.settings import ServerSettings

IN_FLIGHT = "bitsandbytes"
"""The one quantization that is made while a checkpoint of 16 bits is loaded: NF4."""


class Batching(StrEnum):
    """How requests share the model. Neither is continuous: no request joins a batch that has begun."""

    STATIC = "static"
    """Up to `max_slots` that wait are computed together, to the end of the longest of them; then the next batch."""
    ONE_BY_ONE = "one-by-one"
    """One request after the other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Transformers:
    """`generate` as it is; no prefix cache, no chunked prefill, no share of memory set aside."""

    batching: Batching = Batching.STATIC
    name: str = "transformers"
    environment: str = OWN
    key_variable: str = KEY_VARIABLE
    health: str = "/health"

    def command(self, settings: ServerSettings, port: int) -> list[str]:
        """One process with the whole model.

        Raises:
            InputError: something is asked for that it cannot do.
        """
        refuse_beyond_one_process(settings, self.name)
        max_rows = settings.max_slots if self.batching is Batching.STATIC else 1
        return ["-m", "jobs.serving.transformers_server", *model_options(settings, port), f"--max-rows={max_rows}"]

    def environ(self, settings: ServerSettings) -> dict[str, str]:  # noqa: ARG002
        """The model is in a folder, and nothing is asked of the hub."""
        return {"HF_HUB_OFFLINE": "1"}


def model_options(settings: ServerSettings, port: int) -> list[str]:
    """What every server of this project's own is told."""
    return [
        *(settings.model, f"--port={port}", f"--served-name={settings.served_name}", f"--dtype={settings.dtype}"),
        *([] if settings.quantization is None else [f"--quantization={settings.quantization}"]),
        *(f"--max-model-len={settings.max_model_len}", f"--seed={settings.seed}"),
    ]


def refuse_beyond_one_process(settings: ServerSettings, engine: str) -> None:
    """Refuse what takes more than a process that loads a checkpoint.

    Raises:
        InputError: it is asked for; all of it, at once.
    """
    allowed = {"tensor_parallel": (1,), "pipeline_parallel": (1,), "quantization": (None, IN_FLIGHT)}
    problems = [
        Problem(path=name, message=f"{getattr(settings, name)}; allowed with {engine}: {_named(values)}")
        for name, values in allowed.items()
        if getattr(settings, name) not in values
    ]
    if problems:
        raise InputError(problems)


def _named(values: tuple[object, ...]) -> str:
    return ", ".join("none, which is what the checkpoint says" if value is None else str(value) for value in values)

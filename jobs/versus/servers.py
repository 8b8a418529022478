"""The three servers that are compared: vLLM, and transformers in static batches and one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jobs.launch.folder import run_folder
from jobs.serving.engine import Engine
from jobs.serving.server import serving
from jobs.serving.settings import ServerSettings
from jobs.serving.transformers import Batching, Transformers
from jobs.serving.vllm import Vllm
from jobs.versus.model import Pair
from jobs.versus.online import Clients, put_loads

MAX_PLACES = 2048
"""Tokens of a prompt and its answer that are asked for at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Servers:
    """What all three are told, and what they are asked."""

    pair: Pair
    clients: Clients
    num_slots: int
    threads: int
    compiled: bool
    limit_seconds: float
    seed: int

    def settings(self, *, model: str, dtype: str) -> ServerSettings:
        """Those of one."""
        from transformers import AutoConfig

        places = int(AutoConfig.from_pretrained(model, local_files_only=True).max_position_embeddings)
        return ServerSettings(
            model=model,
            served_name="model",
            dtype=dtype,
            max_model_len=min(places, MAX_PLACES),
            # Transformers keeps nothing of earlier prompts either.
            prefix_caching=False,
            max_slots=self.num_slots,
            compiled=self.compiled,
            seed=self.seed,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ThreadedVllm(Vllm):
    """vLLM's server with as many threads of a CPU as it is told; by default it takes all cores from its clients."""

    num_threads: int

    def environ(self, settings: ServerSettings) -> dict[str, str]:
        """That of any vLLM, with these."""
        return Vllm.environ(self, settings) | {"OMP_NUM_THREADS": str(self.num_threads)}


def vllm(servers: Servers) -> dict[str, Any]:
    """In a worker: what `put_loads` returns of vLLM and the quantized model."""
    engine = ThreadedVllm(num_threads=servers.threads)
    return _measure(engine, servers, servers.settings(model=servers.pair.quantized, dtype=servers.pair.dtype), "vllm")


def static(servers: Servers) -> dict[str, Any]:
    """In a worker: that of transformers in static batches."""
    return _transformers(servers, Batching.STATIC)


def one_by_one(servers: Servers) -> dict[str, Any]:
    """In a worker: that of transformers with one request after the other."""
    return _transformers(servers, Batching.ONE_BY_ONE)


SERVERS: dict[str, Callable[[Servers], dict[str, Any]]] = {"vllm": vllm, "static": static, "one_by_one": one_by_one}


def _transformers(servers: Servers, batching: Batching) -> dict[str, Any]:
    settings = servers.settings(model=servers.pair.unpacked, dtype=servers.pair.unpacked_dtype)
    return _measure(Transformers(batching=batching), servers, settings, f"transformers-{batching}")


def _measure(engine: Engine, servers: Servers, settings: ServerSettings, name: str) -> dict[str, Any]:
    log = run_folder() / f"{name}.log"
    with serving(engine, settings, log=log, limit_seconds=servers.limit_seconds) as endpoint:
        return put_loads(endpoint, servers.clients)

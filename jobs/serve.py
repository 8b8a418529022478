"""Serve a model: start an engine, measure it, prove what it makes of bad requests, and drain it.

ENGINE=vllm python -m jobs.submit serve
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterlab.config import Scale, Source, by_scale, range_problems, source_problems
from clusterlab.errors import InputError, Problem
from jobs.launch.environments import python_of
from jobs.launch.finished import Finished
from jobs.launch.folder import report, run_folder
from jobs.launch.workers import Place, run_worker
from jobs.llm.bases import MADE
from jobs.llm.hub import LLAMA_2_7B, TINYLLAMA
from jobs.load.loads import Mode, parse_loads
from jobs.load.prompts import MAX_WORDS, made_prompts
from jobs.load.series import Series
from jobs.load.summary import Slo
from jobs.serving.agreement import Said, agreement, greedy_answers
from jobs.serving.asking import Begun, completion
from jobs.serving.endpoint import KEY_VARIABLE, Endpoint
from jobs.serving.engine import Engine, engine_of
from jobs.serving.holding import hold
from jobs.serving.memory import gpu_gib, host_gib
from jobs.serving.protocol import PROMPT, status_after_hang_up, statuses
from jobs.serving.server import serving
from jobs.serving.settings import ServerSettings
from jobs.serving.tgi import IMAGE, IMAGE_VARIABLE, Tgi, image_problem

NUM_COMPARED = 8
"""Answers that are compared with those of transformers."""
SAME = (
    *("quantization", "tensor_parallel", "pipeline_parallel", "max_model_len", "prefix_caching", "chunked_prefill"),
    *("gpu_memory_utilization", "max_slots", "compiled", "seed"),
)
"""Fields of `ServerSettings` that are fields of `Config`."""
TGI = Tgi().name
LONG_ANSWER = 512
"""Tokens of an answer that is on its way when its client leaves, or its server is told to end; or what fits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """One server, and the load that is put on it."""

    scale: Scale
    """How big; sets every value below that is not given."""
    engine: str = "vllm"
    """What serves: a name in `ENGINES` of jobs/serving/engine.py."""
    tgi_image: str | None = by_scale(tiny=None, small=None, single=IMAGE, full=IMAGE)
    """TGI's official image by its digest, for ENGINE=tgi; without one an endpoint of ours speaks its protocol."""
    model: Source = by_scale(tiny="tiny-llama-256", small="smollm2-135m-instruct", single=TINYLLAMA, full=LLAMA_2_7B)
    """A hub id with revision, a folder, or a base that the project makes."""
    quantization: str | None = None
    """As the engine calls it; not given is what the checkpoint's own config says."""
    tensor_parallel: int = by_scale(tiny=1, small=1, single=1, full=8)
    """GPUs of a node that each matrix is split over."""
    pipeline_parallel: int = 1
    """Groups of layers, one after the other, over Ray; on several nodes, one for each.
    On CPUs they are processes of one node."""
    max_model_len: int = by_scale(tiny=512, small=1024, single=2048, full=4096)
    """Tokens of a prompt and its answer together."""
    prefix_caching: bool = True
    """Whether a prompt that begins as an earlier one takes over its keys and values."""
    chunked_prefill: bool = True
    """Whether a long prompt is read in pieces, between which the others' tokens are written."""
    gpu_memory_utilization: float = 0.9
    """Share of a GPU's memory for weights, keys and values."""
    max_slots: int = by_scale(tiny=8, small=8, single=64, full=256)
    """Requests that are computed together; others wait."""
    compiled: bool = by_scale(tiny=False, small=False, single=True, full=True)
    """Whether an engine that can compile the model does: it starts minutes later, and is then faster."""
    num_threads: int = by_scale(tiny=1, small=2, single=4, full=8)
    """CPU threads of a server that computes on CPUs; they wait for each other in busy loops: too many take longer."""
    port: int = by_scale(tiny=0, small=0, single=8000, full=8000)
    """On the loopback; 0 is any that is free. `clusterlab tunnel` leads to 8000."""
    ready_seconds: int = by_scale(tiny=900, small=900, single=1200, full=1800)
    """How long the server may take until it can be asked."""
    clients: str = by_scale(tiny="1,8", small="1,8", single="1,8,32", full="1,8,32,128")
    """Of the closed loop, growing, with commas between; each asks again when it has its answer."""
    rate: float = by_scale(tiny=4.0, small=1.0, single=4.0, full=16.0)
    """Of the open loop, in requests a second."""
    num_requests: int = by_scale(tiny=32, small=16, single=128, full=512)
    """At each load."""
    num_words: int = by_scale(tiny=16, small=64, single=128, full=256)
    """Of a prompt."""
    new_tokens: int = by_scale(tiny=32, small=32, single=128, full=128)
    """Of an answer."""
    answer_seconds: float = by_scale(tiny=60.0, small=120.0, single=300.0, full=300.0)
    """After which an answer is given up."""
    slo_ttft_seconds: float = by_scale(tiny=1.0, small=2.0, single=0.5, full=0.5)
    """A request is of use if its first token came in this time,"""
    slo_tpot_seconds: float = by_scale(tiny=0.1, small=0.5, single=0.05, full=0.05)
    """and each further one in this."""
    hold_seconds: int = 0
    """How long it serves on once it is measured, for whoever has the key; a SIGTERM ends it sooner."""
    max_failures: int = 1
    """How often a worker that died is begun again, and its server with it."""
    seed: int = 0
    """Of the prompts and the arrivals."""

    def __post_init__(self) -> None:
        least = {"tensor_parallel": 1, "pipeline_parallel": 1, "max_model_len": 64, "max_slots": 1, "num_threads": 1}
        least |= {"port": 0, "ready_seconds": 1, "num_requests": 1, "num_words": 1, "new_tokens": 2}
        least |= {"hold_seconds": 0, "max_failures": 0, "seed": 0}
        positive = ("rate", "answer_seconds", "slo_ttft_seconds", "slo_tpot_seconds", "gpu_memory_utilization")
        most = {"port": 2**16 - 1, "num_words": MAX_WORDS, "gpu_memory_utilization": 1}
        wrong = range_problems(self, least=least, most=most, above_zero=positive)
        wrong += source_problems(self, {"model": MADE})
        try:
            engine_of(self.engine)
        except InputError as error:
            wrong.append(str(error))
        if (problem := image_problem(self.tgi_image)) is not None:
            wrong.append(f"{IMAGE_VARIABLE}: {problem}")
        try:
            parse_loads(self.clients, Mode.CLOSED)
        except ValueError as error:
            wrong.append(f"CLIENTS={self.clients}: {error}")
        if wrong:
            raise ValueError("; ".join(wrong))

    @property
    def images(self) -> tuple[str, ...]:
        """The container images that this server runs."""
        return (self.tgi_image,) if self.tgi_image and self.engine == TGI else ()


def main(config: Config) -> dict[str, float]:
    """Measure one server, and with HOLD_SECONDS serve on; return the metrics that go into the run record.

    Metrics of the closed loop end in `_at_` and the clients, those of the open one in `_open`; latencies are seconds.
    `answered` is the share of all requests that were, `status_*` the HTTP status of each request that proves something,
    `drained` is 1 where an answer that had begun came whole from a server that was told to end. `token_agreement` and
    `logprob_error` compare with transformers (`jobs.serving.agreement`). `host_gib` and `gpu_gib` are what the server
    takes after the loads. `serve.png` has the closed loop as a picture, `load.json` the summary of each load.

    Raises:
        InputError: a node has too few GPUs, the port is taken, or nobody would have the key of a server that is held.
        MissingError: the engine's environment is not on this machine.
        UnreachableError: the server was not ready within READY_SECONDS.
    """
    python_of(_engine(config).environment)
    if config.hold_seconds and not os.environ.get(KEY_VARIABLE):
        message = "not set, and with HOLD_SECONDS others need it; allowed: such as `openssl rand -hex 24` prints"
        raise InputError(Problem(path=KEY_VARIABLE, message=message))
    place = Place(num_gpus=config.tensor_parallel if config.pipeline_parallel == 1 else 0, here=True)
    parts = Finished(folder=run_folder() / "parts")
    metrics = parts.once(
        "measured", lambda: run_worker(_measure, config, max_failures=config.max_failures, place=place)
    )
    if config.hold_seconds:
        try:
            run_worker(_hold, config, max_failures=config.max_failures, place=place)
        except (KeyboardInterrupt, SystemExit):
            print("told to end; what had been asked was answered", flush=True)
    return metrics


def _measure(config: Config) -> dict[str, float]:
    """In a worker: one server from its start to its end."""
    from jobs.llm.bases import Base
    from jobs.llm.process import quiet, report_pretraining

    quiet()
    base = Base.of(config.model, report_pretraining)
    folder, started = base.folder(), time.monotonic()
    with _served(config, folder) as endpoint:
        metrics = {"seconds_to_ready": time.monotonic() - started}
        prompts = made_prompts(NUM_COMPARED, num_words=8, new_tokens=[16], seed=config.seed)
        said = greedy_answers(endpoint, prompts)
        metrics |= statuses(endpoint, max_model_len=config.max_model_len)
        metrics["status_after_hang_up"] = float(status_after_hang_up(endpoint, new_tokens=_long(config)))
        metrics |= _put_loads(config, endpoint)
        metrics["host_gib"], gpus = host_gib(os.getpid()), gpu_gib()
        last = Begun.of(endpoint, completion(endpoint, PROMPT, _long(config)))
    metrics["drained"] = float(last.whole())
    return metrics | ({} if gpus is None else {"gpu_gib": gpus}) | _compared(base, folder, said)


def _hold(config: Config) -> dict[str, float]:
    """In a worker: serve until the time is over, or until this worker is interrupted."""
    from jobs.llm.bases import Base
    from jobs.llm.process import quiet, report_pretraining

    quiet()
    with _served(config, Base.of(config.model, report_pretraining).folder()) as endpoint:
        asked_at = {"url": endpoint.url, "model": endpoint.model}
        (run_folder() / "endpoint.json").write_text(json.dumps(asked_at))
        print(f"{config.engine}: {endpoint.model} at {endpoint.url}/v1, for {config.hold_seconds} s", flush=True)
        report("hold", 1, 1, seconds=config.hold_seconds)
        hold(_engine(config), endpoint, seconds=config.hold_seconds)
    return {}


@contextmanager
def _served(config: Config, folder: Path) -> Iterator[Endpoint]:
    os.environ["OMP_NUM_THREADS"] = str(config.num_threads)
    if config.pipeline_parallel > 1:
        _on_this_ray()
    settings = ServerSettings(
        model=str(folder),
        served_name=config.model.partition("@")[0],
        dtype=_dtype(config, folder),
        **{name: getattr(config, name) for name in SAME},
    )
    engine, log = _engine(config), run_folder() / f"{config.engine}.log"
    with serving(engine, settings, log=log, limit_seconds=config.ready_seconds, port=config.port) as endpoint:
        yield endpoint


def _engine(config: Config) -> Engine:
    return Tgi(image=config.tgi_image) if config.engine == TGI else engine_of(config.engine)


def _on_this_ray() -> None:
    """The server asks the Ray that this worker is of for its workers, and sees GPUs although it holds none."""
    import ray

    os.environ["RAY_ADDRESS"] = ray.get_runtime_context().gcs_address
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)


def _dtype(config: Config, folder: Path) -> str:
    """What the project computes in on this machine; of quantized weights what the engine takes for them."""
    from jobs.llm.bases import compute_dtype

    if config.quantization is not None or _is_quantized(folder):
        return "auto"
    return str(compute_dtype()).removeprefix("torch.")


def _is_quantized(folder: Path) -> bool:
    return "quantization_config" in json.loads((folder / "config.json").read_text())


def _long(config: Config) -> int:
    return min(LONG_ANSWER, config.max_model_len - 32)


def series(config: Config) -> Series:
    """The loads that are put on the server."""
    return Series(
        clients=[int(load) for load in parse_loads(config.clients, Mode.CLOSED)],
        limit_seconds=config.answer_seconds,
        slo=Slo(ttft_seconds=config.slo_ttft_seconds, tpot_seconds=config.slo_tpot_seconds),
        **{name: getattr(config, name) for name in ("rate", "num_requests", "num_words", "new_tokens", "seed")},
    )


def _put_loads(config: Config, endpoint: Endpoint) -> dict[str, float]:
    from jobs.load.picture import draw_loads

    measured = series(config).put(endpoint)
    measured.save(run_folder() / "load.json")
    draw_loads(measured.closed, f"{endpoint.model} in {config.engine}", "clients", run_folder() / "serve.png")
    return measured.metrics()


def _compared(base: Any, folder: Path, said: list[Said]) -> dict[str, float]:
    """What transformers makes of the server's answers; nothing of weights that it would need other libraries for."""
    if _is_quantized(folder):
        return {}
    return agreement(said, base.load(quantized=False), base.tokenizer())

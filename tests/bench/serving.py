"""vLLM as our job serves it, beside `vllm serve` as one types it: both are up, and get the same load in turn."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clusterlab.config import Source, parse
from clusterlab.local.keeper import keep, release
from jobs.serve import Config
from jobs.serving.endpoint import KEY_VARIABLE, Endpoint
from tests.bench.figure import ROOT, Figure

PAIRS = 30
"""Each load lasts some seconds, and of two that are alike one may take a fifth longer than the other."""
CLIENTS, NUM_REQUESTS = 8, 128
ASKED = {"SCALE": "tiny", "CLIENTS": "1", "NUM_REQUESTS": "16", "HOLD_SECONDS": "3600"}
QUIET = {"HF_HUB_OFFLINE": "1", "RAY_USAGE_STATS_ENABLED": "0", "VLLM_NO_USAGE_STATS": "1"}
START_SECONDS = 600


def over_bare_vllm() -> list[Figure]:
    """vLLM through our job and bare `vllm serve`, the same load on each in turn."""
    from jobs.llm.bases import Base

    config = parse(Config, ASKED)
    folder = Base.of(Source(config.model), lambda *_: None).folder()
    with (
        tempfile.TemporaryDirectory() as place,
        _held_by_the_job(Path(place)) as job,
        _vllm_serve(folder, config, Path(place)) as plain,
    ):
        found = [_pair(job, plain, config, seed) for seed in range(PAIRS + 1)][1:]
    ours, other = (sorted(pair[side] for pair in found) for side in (0, 1))
    ratio = statistics.median(ours) / statistics.median(other)
    return [
        Figure(
            what=f"Tokens/s of vLLM through our job against bare `vllm serve`, {CLIENTS} clients (tiny)",
            measured=f"{ratio:.3f}, medians of {PAIRS} loads each, in turn ({_spread(ours)} and {_spread(other)})",
            wanted="at least 0.98",
            met=ratio >= 0.98,
        )
    ]


def _spread(rates: list[float]) -> str:
    """The median, and between which the middle half lies."""
    low, middle, high = statistics.quantiles(rates, n=4)
    return f"{middle:,.0f}, half of them from {low:,.0f} to {high:,.0f}"


def _pair(ours: Endpoint, bare: Endpoint, config: Config, seed: int) -> tuple[float, float]:
    """Tokens a second of both with the same prompts; every other pair begins with the other."""
    if seed % 2:
        later, first = (_rate(each, config, seed) for each in (bare, ours))
        return first, later
    return _rate(ours, config, seed), _rate(bare, config, seed)


def _rate(endpoint: Endpoint, config: Config, seed: int) -> float:
    import uvloop

    from jobs.load.loops import closed
    from jobs.load.outcome import Ending
    from jobs.load.prompts import made_prompts

    prompts = made_prompts(NUM_REQUESTS, num_words=32, new_tokens=[config.new_tokens], seed=seed)
    begin = time.perf_counter()
    outcomes = uvloop.run(closed(endpoint, prompts, concurrency=CLIENTS, limit_seconds=60))
    seconds = time.perf_counter() - begin
    if any(outcome.ending is not Ending.DONE for outcome in outcomes):
        raise RuntimeError(f"not all were answered: {[outcome.ending for outcome in outcomes]}")
    return float(sum(outcome.tokens for outcome in outcomes)) / seconds


@contextmanager
def _held_by_the_job(place: Path) -> Iterator[Endpoint]:
    """What `python -m jobs.submit serve` holds, once it has measured."""
    key = secrets.token_hex(16)
    environment = os.environ | ASKED | QUIET | {"CLUSTERLAB_RUNS": str(place / "runs"), KEY_VARIABLE: key}
    command = [sys.executable, "-m", "jobs.submit", "serve"]
    with (place / "job.log").open("wb") as log:
        job = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        while not (found := list((place / "runs").rglob("endpoint.json"))):
            if job.poll() is not None:
                raise RuntimeError(f"the job ended: {(place / 'job.log').read_text()[-2000:]}")
            time.sleep(0.2)
        time.sleep(1)  # The file is written whole by then.
        yield Endpoint(**json.loads(found[0].read_text()), api_key=key)
    finally:
        job.send_signal(signal.SIGINT)
        job.wait()


@contextmanager
def _vllm_serve(folder: Path, config: Config, log_folder: Path) -> Iterator[Endpoint]:
    """As one types it, with the settings that the job has."""
    from jobs.launch.environments import python_of

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [python_of("vllm"), "-m", "vllm.entrypoints.cli.main", "serve", str(folder), "--host=127.0.0.1"]
    command += [f"--port={port}", "--served-model-name=bare", "--dtype=float32", "--enforce-eager"]
    command += [f"--max-model-len={config.max_model_len}", f"--max-num-seqs={config.max_slots}"]
    environment = os.environ | QUIET | {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_HOST_IP": "127.0.0.1", "PYTHONPATH": ""}
    environment |= {"OMP_NUM_THREADS": f"{config.num_threads}", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    with (log_folder / "bare.log").open("wb") as log:
        keeper = keep(command, cwd=log_folder, env=environment, output=log, grace_seconds=30, drain=True)
    try:
        _wait(f"http://127.0.0.1:{port}", keeper, log_folder / "bare.log")
        yield Endpoint(url=f"http://127.0.0.1:{port}", model="bare", api_key=None)
    finally:
        release(keeper)


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"`vllm serve` did not start:\n{log.read_text()[-2000:]}") from None
        time.sleep(0.2)

"""vLLM as our job serves it, beside `vllm serve` as one types it, under the same load.

python -m tests.bench.serving      starts `vllm serve`, measures it once, and prints that as JSON
"""

from __future__ import annotations

import json
import os
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
from typing import Any

from clusterlab.config import Source, parse
from clusterlab.local.keeper import keep, release
from clusterlab.run import Run, find_runs
from jobs.launch.folder import VARIABLE
from jobs.serve import Config
from tests.bench.figure import ROOT, Figure

PAIRS = 3
CLIENTS = 8
ASKED = {"SCALE": "tiny", "CLIENTS": f"1,{CLIENTS}", "NUM_REQUESTS": "128", "RATE": "16"}
FIGURE = f"tokens_per_second_at_{CLIENTS}"
QUIET = {"HF_HUB_OFFLINE": "1", "RAY_USAGE_STATS_ENABLED": "0", "VLLM_NO_USAGE_STATS": "1"}
START_SECONDS = 600


def over_bare_vllm() -> list[Figure]:
    """vLLM through our job and bare `vllm serve`, in turn."""
    found = [(_ours()[FIGURE], _bare()[FIGURE]) for _ in range(PAIRS)]
    ratios = sorted(ours / bare for ours, bare in found)
    ratio = statistics.median(ratios)
    ours, bare = (statistics.median(pair[side] for pair in found) for side in (0, 1))
    return [
        Figure(
            what=f"Tokens/s of vLLM through our job against bare `vllm serve`, {CLIENTS} clients (tiny)",
            measured=f"{ratio:.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f} in {PAIRS} pairs; {ours:,.0f} and {bare:,.0f})",
            wanted="at least 0.98",
            met=ratio >= 0.98,
        )
    ]


def _ours() -> dict[str, float]:
    """What the job's record says."""
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "jobs.submit", "serve"]
        environment = os.environ | ASKED | QUIET | {"CLUSTERLAB_RUNS": runs}
        subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        [(_, run)] = find_runs(Path(runs))
        return _metrics(run)


def _metrics(run: Run) -> dict[str, float]:
    if run.metrics["answered"] < 1:
        raise RuntimeError(f"not all were answered: {run.metrics['answered']}")
    return dict(run.metrics)


def _bare() -> Any:
    command = [sys.executable, "-m", "tests.bench.serving"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | QUIET, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure() -> dict[str, float]:
    """The load of the job on `vllm serve`, in this process."""
    from jobs.llm.bases import Base
    from jobs.serve import series
    from jobs.serving.endpoint import Endpoint

    config = parse(Config, ASKED)
    folder = Base.of(Source(config.model), lambda *_: None).folder()
    with tempfile.TemporaryDirectory() as run:
        os.environ[VARIABLE] = run
        with _vllm_serve(folder, config, Path(run)) as url:
            return series(config).put(Endpoint(url=url, model="bare", api_key=None)).metrics()


@contextmanager
def _vllm_serve(folder: Path, config: Config, log_folder: Path) -> Iterator[str]:
    """As one types it, with the settings that the job has."""
    from jobs.compress.environments import python_of

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [python_of("vllm"), "-m", "vllm.entrypoints.cli.main", "serve", str(folder), "--host=127.0.0.1"]
    command += [f"--port={port}", "--served-model-name=bare", "--dtype=float32", "--enforce-eager"]
    command += [f"--max-model-len={config.max_model_len}", f"--max-num-seqs={config.max_slots}"]
    environment = os.environ | QUIET | {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_HOST_IP": "127.0.0.1", "PYTHONPATH": ""}
    with (log_folder / "bare.log").open("wb") as log:
        keeper = keep(command, cwd=log_folder, env=environment, output=log, grace_seconds=30, drain=True)
    try:
        _wait(f"http://127.0.0.1:{port}", keeper, log_folder / "bare.log")
        yield f"http://127.0.0.1:{port}"
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


if __name__ == "__main__":
    print(json.dumps(measure()))

"""The load generator: its CPU, the latency that it adds, and its figures beside those of `vllm bench serve`.

python -m tests.bench.load http://127.0.0.1:8000      measures once, and prints it as JSON
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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from clusterlab.config import Source
from tests.bench.figure import ROOT, Figure

RATE = 200.0
NUM = 2000
PAIRS = 5
TTFT, TPOT = 0.5, 0.05
"""Of the server that two load generators measure: long beside what a busy machine adds."""
CLIENTS, ASKED = 8, 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Null:
    """A server that answers at once."""

    url: str
    model: str = "null"
    api_key: str | None = None


def generator_cost() -> list[Figure]:
    """CPU and added latency of the load generator at 200 requests a second."""
    return [figure for tokens in (1, 16) for figure in _cost(tokens)]


def _cost(tokens: int) -> list[Figure]:
    with null_server() as url:
        found = [_once(url, tokens) for _ in range(PAIRS)]
    share = statistics.median(each["cpu"] for each in found)
    added = sorted(each["p99"] - each["bare_p99"] for each in found)
    ours, bare = (statistics.median(each[name] for each in found) for name in ("p99", "bare_p99"))
    what = f"at {RATE:g} requests/s, a null server with answers of {tokens} token{'s' if tokens > 1 else ''}"
    return [
        Figure(
            what=f"Load generator's CPU {what}",
            measured=f"{share:.1%} of a core ({found[0]['requests_per_second']:.0f} requests/s)",
            wanted="under 5 % of a core",
            met=share < 0.05,
        ),
        Figure(
            what=f"Its p99 over that of a bare blocking socket with the same arrivals, {what}",
            measured=f"{statistics.median(added) * 1000:+.2f} ms ({added[0] * 1000:+.2f} to {added[-1] * 1000:+.2f} in "
            f"{PAIRS} pairs; {ours * 1000:.2f} and {bare * 1000:.2f} ms)",
            wanted="under 1 ms",
            met=statistics.median(added) < 0.001,
        ),
    ]


def _once(url: str, tokens: int) -> Any:
    command = [sys.executable, "-m", "tests.bench.load", url, f"{tokens}"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


@contextmanager
def null_server(*options: str) -> Iterator[str]:
    """`tests.delays` in a process of its own, without any delay if no options say otherwise."""
    with tempfile.TemporaryDirectory() as folder:
        port = Path(folder) / "port"
        server = subprocess.Popen([sys.executable, "-m", "tests.delays", f"--port-file={port}", *options], cwd=ROOT)
        try:
            while not port.exists():
                time.sleep(0.01)
            yield f"http://127.0.0.1:{port.read_text()}"
        finally:
            server.kill()
            server.wait()


def measure(url: str, tokens: int) -> dict[str, float]:
    """The generator, and then a bare socket, on the same server with the same arrivals."""
    import uvloop

    from jobs.load.loops import open_loop
    from jobs.load.prompts import made_prompts
    from jobs.load.summary import Percentiles, Slo, Summary

    def load(num: int) -> Summary:
        prompts = made_prompts(num, num_words=32, new_tokens=[tokens], seed=0)
        outcomes = uvloop.run(open_loop(Null(url=url), prompts, rate=RATE, seed=0, limit_seconds=60))
        return Summary.of(RATE, outcomes, Slo(ttft_seconds=1, tpot_seconds=1))

    load(100)
    cpu = time.process_time()
    summary = load(NUM)
    cpu = time.process_time() - cpu
    bare = Percentiles.of(_bare(url, tokens))
    if summary.latency is None or bare is None or summary.num_done < NUM:
        raise RuntimeError(f"not all were answered: {summary.endings}")
    return {
        "cpu": cpu / summary.seconds,
        "requests_per_second": summary.requests_per_second,
        "p99": summary.latency.p99,
        "bare_p99": bare.p99,
    }


def _bare(url: str, tokens: int) -> list[float]:
    """Latencies of one blocking socket, which is the least that the machine allows."""
    from jobs.load.arrivals import poisson
    from jobs.load.client import Client
    from jobs.load.prompts import made_prompts

    address = urlsplit(url)
    request = Client(Null(url=url), limit_seconds=60).request(
        made_prompts(1, num_words=32, new_tokens=[tokens], seed=0)[0]
    )
    latencies = []
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        begin = time.perf_counter() + 0.05
        for at in poisson(NUM, rate=RATE, seed=0):
            time.sleep(max(0.0, begin + at - time.perf_counter()))
            connection.sendall(request)
            answer = b""
            while not answer.endswith(b"0\r\n\r\n"):
                answer += connection.recv(2**16)
            latencies.append(time.perf_counter() - begin - at)
    return latencies


def over_vllm_bench() -> list[Figure]:
    """Our closed loop and `vllm bench serve` on one server with fixed delays, in turn."""
    with null_server(f"--ttft={TTFT}", f"--tpot={TPOT}") as url:
        found = [(_ours(url), _vllm_bench(url)) for _ in range(3)]
    return [_beside(name, [(ours[name], theirs[name]) for ours, theirs in found]) for name in found[0][0]]


def _beside(name: str, pairs: list[tuple[float, float]]) -> Figure:
    ratios = sorted(ours / theirs for ours, theirs in pairs)
    ours, theirs = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    return Figure(
        what=f"{name}: ours against `vllm bench serve`, {CLIENTS} clients, TTFT {TTFT:g} s, TPOT {TPOT:g} s",
        measured=f"{statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f} in 3 pairs; "
        f"{ours:.4g} and {theirs:.4g})",
        wanted="0.95 to 1.05",
        met=abs(statistics.median(ratios) - 1) <= 0.05,
    )


def _ours(url: str) -> dict[str, float]:
    import uvloop

    from jobs.load.loops import closed
    from jobs.load.prompts import made_prompts
    from jobs.load.summary import Slo, Summary

    prompts = made_prompts(ASKED, num_words=16, new_tokens=[16], seed=0)
    outcomes = uvloop.run(closed(Null(url=url), prompts, concurrency=CLIENTS, limit_seconds=60))
    metrics = Summary.of(CLIENTS, outcomes, Slo(ttft_seconds=1, tpot_seconds=1)).metrics()
    return {
        "Tokens/s": metrics["tokens_per_second"],
        "Median TTFT": metrics["ttft_p50_seconds"],
        "Median TPOT": metrics["tpot_p50_seconds"],
    }


def _vllm_bench(url: str) -> dict[str, float]:
    """What vLLM's own load generator says of the same server."""
    from jobs.launch.environments import python_of
    from jobs.llm.bases import Base

    tokenizer = Base.of(Source("tiny-llama"), lambda *_: None).folder()
    command = [python_of("vllm"), "-m", "vllm.entrypoints.cli.main", "bench", "serve", "--backend=openai"]
    command += [f"--base-url={url}", "--endpoint=/v1/completions", "--model=null", f"--tokenizer={tokenizer}"]
    command += ["--dataset-name=random", "--random-input-len=16", "--random-output-len=16", "--save-result"]
    command += [
        f"--num-prompts={ASKED}",
        f"--max-concurrency={CLIENTS}",
        "--temperature=0",
        "--result-filename=it.json",
    ]
    quiet = {"VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": ""}
    with tempfile.TemporaryDirectory() as folder:
        command.append(f"--result-dir={folder}")
        subprocess.run(command, env=os.environ | quiet, check=True, capture_output=True)
        found = json.loads((Path(folder) / "it.json").read_text())
    return {
        "Tokens/s": found["output_throughput"],
        "Median TTFT": found["median_ttft_ms"] / 1000,
        "Median TPOT": found["median_tpot_ms"] / 1000,
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))

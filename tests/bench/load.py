"""What the load generator costs: its CPU and the latency that it adds, against a null server and a bare socket.

python -m tests.bench.load http://127.0.0.1:8000      measures once, and prints it as JSON
"""

from __future__ import annotations

import json
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

from tests.bench.figure import ROOT, Figure

RATE = 200.0
NUM = 2000
PAIRS = 5


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


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))

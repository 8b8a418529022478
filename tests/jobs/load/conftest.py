"""A server with known delays, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvloop

from jobs.load.loops import closed, open_loop
from jobs.load.outcome import Outcome
from jobs.load.prompts import made_prompts
from tests.repository import ROOT

START_SECONDS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Delays:
    """The server as its clients see it."""

    url: str
    model: str = "delays"
    api_key: str | None = None

    def records(self) -> list[dict[str, float]]:
        """What it wrote down, in the order of its answers."""
        with urllib.request.urlopen(f"{self.url}/records", timeout=START_SECONDS) as answer:
            found: list[dict[str, float]] = json.load(answer)
        return found

    def closed(self, num: int, *, tokens: int = 4, concurrency: int = 1, limit: float = 60) -> list[Outcome]:
        prompts = made_prompts(num, num_words=4, new_tokens=[tokens], seed=0)
        outcomes: list[Outcome] = uvloop.run(closed(self, prompts, concurrency=concurrency, limit_seconds=limit))
        return outcomes

    def open(self, num: int, *, tokens: int = 4, rate: float = 100, seed: int = 0) -> list[Outcome]:
        prompts = made_prompts(num, num_words=4, new_tokens=[tokens], seed=0)
        outcomes: list[Outcome] = uvloop.run(open_loop(self, prompts, rate=rate, seed=seed, limit_seconds=60))
        return outcomes


@pytest.fixture
def delays(tmp_path: Path) -> Iterator[Callable[..., Delays]]:
    """Starts servers, each with its options, which end with the test."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(_serving(tmp_path, options))


@contextmanager
def _serving(folder: Path, options: dict[str, Any]) -> Iterator[Delays]:
    port_file = folder / f"port-{time.perf_counter_ns()}"
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    process = subprocess.Popen([sys.executable, "-m", "tests.delays", f"--port-file={port_file}", *flags], cwd=ROOT)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not port_file.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield Delays(url=f"http://127.0.0.1:{port_file.read_text()}")
    finally:
        process.kill()
        process.wait()

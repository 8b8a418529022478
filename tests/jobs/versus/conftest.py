"""What the parts of the job return, made up: vLLM twice as fast as static batches, and ten times one by one."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.versus.asked import Answer
from jobs.versus.offline import offline_metrics
from tests.jobs.load.conftest import delays

__all__ = ["delays"]

LENGTHS = [4, 8, 16, 256, 4, 4, 8, 256]
RATES = {"vllm": 1000.0, "static": 500.0, "one_by_one": 100.0}


@pytest.fixture
def offline() -> dict[str, Any]:
    workloads = {"mixed": LENGTHS, "uniform": [64] * 8}
    times = {
        name: {f"{workload}{ending}": [sum(lengths) / RATES[name]] for workload, lengths in workloads.items()}
        for name, ending in (("vllm", ""), ("static", " static"), ("one_by_one", " one_by_one"))
    }
    plain = Answer(seconds=times["static"] | times["one_by_one"], tokens=[], agreement=1.0)
    metrics = offline_metrics(workloads, 4, Answer(seconds=times["vllm"], tokens=[]), plain)
    return {"metrics": metrics, "lengths": LENGTHS, "num_slots": 4}


@pytest.fixture
def servers() -> dict[str, Any]:
    def load(clients: int, rate: float) -> dict[str, Any]:
        times = {"mean": 0.1, "p50": 8 / rate, "p90": 0.1, "p99": 16 / rate}
        return {"load": clients, "tokens_per_second": rate * clients / 8, "ttft": times, "tpot": times}

    return {
        name: {"loads": [load(clients, rate) for clients in (1, 8, 32)], "memory_mib": 1234.5}
        for name, rate in RATES.items()
    }

"""The same prompts to vLLM and to transformers without a server, as the lab asks them, and few."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray

from clusterlab.config import Source
from jobs.launch.environments import ROOT
from jobs.launch.folder import VARIABLE as FOLDER
from jobs.llm.cache import VARIABLE as CACHE
from jobs.versus.model import Calibration, Pair, quantized
from jobs.versus.offline import Offline, compare_offline


@pytest.fixture(scope="module")
def pair(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The tiny base in 4 bits, and unpacked again."""
    calibration = Calibration(
        model=Source(str(base)),
        text=Source("made"),
        group_size=64,
        row_length=32,
        num_rows=64,
        threads=1,
        seconds=1800,
        seed=0,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE, str(tmp_path_factory.mktemp("cache")))
        patch.setenv(FOLDER, str(tmp_path_factory.mktemp("run")))
        environment = {"env_vars": {"PYTHONPATH": str(ROOT)}}
        ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False, runtime_env=environment)
        yield quantized(calibration)
        ray.shutdown()


@pytest.mark.usefixtures("python")
def test_both_engines_write_the_same_model_s_tokens(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    values: dict[str, Any] = {"num_prompts": 6, "num_words": 8, "lengths": (2, 16), "uniform": 4, "num_slots": 4}
    # Of this seed the lengths are 2, 16, 16, 2, 2, 16, which static batches waste most of.
    values |= {"num_rounds": 1, "threads": 1, "compiled": False, "limit_seconds": 1800, "seed": 2}
    metrics = compare_offline(Offline(pair=pair, **values))["metrics"]
    assert metrics["agreement"] > 0.9
    for name in ("mixed", "uniform"):
        assert metrics[f"gain_{name}_static"] == metrics[f"offline_{name}_vllm"] / metrics[f"offline_{name}_static"]
    assert metrics["steps_static"] > metrics["steps_continuous"]
    assert pair.metrics["bits_per_parameter"] < 5
    assert pair.metrics["perplexity_quantized"] < 1.1 * pair.metrics["perplexity_unquantized"]

"""What the labs save is loaded by vLLM, and says there what it says in transformers."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
from numpy.typing import NDArray

from clusterlab.config import Source
from jobs.compress.fake_quant import convert, prepare
from jobs.compress.methods import METHODS, UNQUANTIZED
from jobs.compress.pack_quantized import save_packed
from jobs.compress.row import Outcome
from jobs.compress.setting import Setting
from jobs.compress.sweep import Share, sweep
from jobs.launch.environments import ROOT, python_of
from jobs.llm.bases import Base
from jobs.llm.cache import VARIABLE as CACHE
from tests.vllm.conftest import complete

NUM_TOKENS = 16
LOADED = {"gptq_sym_4": 0.05, "awq_4": 0.05, "smoothquant": 0.1}
"""What of the sweep vLLM serves, and the nats that a token's log-probability may differ by.

vLLM computes in 16 bits and with kernels of its own. SmoothQuant rounds activations to 8 bits too, and one that 16 bits
put on the other side of a half is a whole step away.
"""
QAT, QAT_TOLERANCE = "qat_4", 0.05
"""What `labs/qat.yaml` saves at 4 bits; it is no method of the sweep."""
REFUSED = {"gptq_4": "bits=4, sym=False", "gptq_3": "bits=3, sym=False", "awq_3": "num_bits = 3"}
DTYPE = "float16"


@pytest.fixture(scope="module")
def folders(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The checkpoints of a sweep, by method."""
    counts = {"row_length": 32, "num_calibration": 64, "num_evaluation": 16, "num_compared": 16, "decode_tokens": 4}
    setting = Setting(model=Source(str(base)), text=Source("made"), group_size=64, seed=0, threads=1, **counts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE, str(tmp_path_factory.mktemp("cache")))
        environment = {"env_vars": {"PYTHONPATH": str(ROOT)}}
        ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False, runtime_env=environment)
        names = (UNQUANTIZED, *LOADED, *REFUSED)
        rows = sweep([METHODS[name] for name in names], setting, Share(cpus=1, gpus=0, seconds=900))
        ray.shutdown()
        assert not [(row.method, row.reason) for row in rows if row.outcome is not Outcome.MEASURED]
        yield {row.method: str(row.folder) for row in rows} | {QAT: _qat(base, tmp_path_factory.mktemp("qat"))}


def _qat(base: Path, folder: Path) -> str:
    """The base, made ready to train with rounded weights and rounded for good."""
    source = Base(name=str(base))
    model = source.load(quantized=False)
    prepare(model, 4, group_size=64)
    convert(model, 4, group_size=64)
    save_packed(model, source.tokenizer(), folder, bits=4, group_size=64)
    return str(folder)


@pytest.fixture(scope="module")
def prompts() -> list[list[int]]:
    chosen = random.Random(0)
    return [[chosen.randrange(3, 2048) for _ in range(8)] for _ in range(4)]


@pytest.fixture(scope="module")
def answers(python: str, folders: dict[str, str], prompts: list[list[int]]) -> dict[str, Any]:
    names = (*LOADED, QAT, *REFUSED)
    same = {"dtype": DTYPE, "prompts": prompts, "num_tokens": NUM_TOKENS}
    return dict(zip(names, complete(python, *({"checkpoint": folders[name], **same} for name in names)), strict=True))


@pytest.mark.parametrize("name", [*LOADED, QAT])
def test_vllm_says_of_a_checkpoint_what_transformers_says(
    name: str, answers: dict[str, Any], folders: dict[str, str], prompts: list[list[int]], tmp_path: Path
) -> None:
    tokens = np.array(answers[name]["tokens"])
    environment = "compressor" if name == QAT else METHODS[name].environment
    logprobs = _logprobs(environment, folders[name], np.array(prompts), tokens, tmp_path)
    chosen = np.take_along_axis(logprobs, tokens[..., None], axis=-1)[..., 0]
    tolerance = LOADED.get(name, QAT_TOLERANCE)
    assert np.abs(chosen - np.array(answers[name]["logprobs"])).max() < tolerance
    # Where two tokens are as good as equally likely, either may be the first.
    assert (logprobs.max(axis=-1) - chosen).max() < tolerance
    assert (logprobs.argmax(axis=-1) == tokens).mean() > 0.9


@pytest.mark.parametrize("name", REFUSED)
def test_vllm_says_which_it_has_no_kernels_for(name: str, answers: dict[str, Any]) -> None:
    assert REFUSED[name] in answers[name]["refused"]


def _logprobs(
    environment: str, checkpoint: str, prompts: NDArray[np.int64], tokens: NDArray[np.int64], folder: Path
) -> NDArray[np.float64]:
    """What transformers makes of each token that vLLM wrote, in the environment of the method.

    Returns (prompts, tokens, vocabulary).
    """
    files = [checkpoint, str(folder / "rows.npy"), str(folder / "logits.npy")]
    np.save(folder / "rows.npy", np.concatenate([prompts, tokens], axis=1))
    command = [python_of(environment), "-m", "tests.quant.logits", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    logits = np.load(folder / "logits.npy").astype(np.float64)[:, prompts.shape[1] - 1 : -1]
    highest = logits.max(axis=-1, keepdims=True)
    normalized: NDArray[np.float64] = logits - highest - np.log(np.exp(logits - highest).sum(axis=-1, keepdims=True))
    return normalized

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clusterlab.config import Source
from jobs.collapse.lineage import FIRST, Lineage, Upbringing, distinct
from jobs.collapse.regime import Regime
from jobs.compress.corpus import Corpus
from jobs.compress.quality import perplexity
from jobs.launch.folder import VARIABLE
from jobs.llm.bases import Base

ROWS, LENGTH = 20, 8


def _lineage(model: Path, text: Path, folder: Path, beams: int = 1) -> Lineage:
    base = Base(name=str(model))
    corpus = Corpus.of(
        Source(str(text)), base.tokenizer(), row_length=LENGTH, num_calibration=ROWS, num_evaluation=10, seed=0
    )
    upbringing = Upbringing(epochs=4, batch_size=8, learning_rate=1e-2, beams=beams, keep=0.25, seed=0)
    return Lineage(base=base, corpus=corpus, upbringing=upbringing, folder=folder / "checkpoints")


@pytest.fixture(scope="module")
def born(
    small_model: Path, small_text: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Lineage, dict[str, Any]]:
    """A line with its first generation, and what that came to."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder))
        lineage = _lineage(small_model, small_text, folder)
        return lineage, lineage.generation(Regime.REPLACE, 0)


def _written(lineage: Lineage, name: str) -> Any:
    return torch.from_numpy(np.load(lineage.folder / f"{name}.npy"))


def test_a_generation_learns_writes_and_is_measured(born: tuple[Lineage, dict[str, Any]]) -> None:
    lineage, found = born
    untrained = perplexity(lineage.base.load(quantized=False).eval(), lineage.corpus.evaluation)
    assert found["perplexity"] < untrained
    assert lineage.real()["perplexity"] == pytest.approx(untrained)
    written = _written(lineage, FIRST)
    assert written.shape == lineage.corpus.calibration.shape
    assert len(found["generated"]) == ROWS
    assert found["distinct"] == distinct(written)
    assert len(found["texts"]) == 3


def test_what_is_written_is_measured_by_the_first_generation(born: tuple[Lineage, dict[str, Any]]) -> None:
    lineage, found = born
    first = Base(name=str(lineage.folder / FIRST)).load(quantized=False).eval()
    expected = perplexity(first, _written(lineage, FIRST))
    assert math.exp(sum(map(math.log, found["generated"])) / ROWS) == pytest.approx(expected)


def test_each_regime_learns_from_what_it_says(born: tuple[Lineage, dict[str, Any]]) -> None:
    lineage, _ = born
    real, first = lineage.corpus.calibration.tolist(), _written(lineage, FIRST).tolist()
    assert sorted(lineage._data(Regime.REPLACE, 1).tolist()) == sorted(first)
    assert lineage._data(Regime.ACCUMULATE, 1).tolist() == real + first
    kept = lineage._data(Regime.KEEP, 1).tolist()
    assert len(kept) == ROWS
    assert all(row in real for row in kept[: ROWS // 4])
    assert all(row in first for row in kept[ROWS // 4 :])
    np.save(lineage.folder / "keep-1.npy", lineage.corpus.calibration.numpy())
    assert lineage._data(Regime.KEEP, 2)[: ROWS // 4].tolist() != kept[: ROWS // 4]


def test_a_generation_is_the_same_by_seed_and_number(
    born: tuple[Lineage, dict[str, Any]],
    small_model: Path,
    small_text: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    torch.manual_seed(7)
    assert _lineage(small_model, small_text, tmp_path).generation(Regime.KEEP, 0) == born[1]


def test_a_search_writes_what_is_likely(
    born: tuple[Lineage, dict[str, Any]],
    small_model: Path,
    small_text: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    found = _lineage(small_model, small_text, tmp_path, beams=3).generation(Regime.REPLACE, 0)
    assert found["perplexity"] == born[1]["perplexity"]
    assert np.median(found["generated"]) < np.median(born[1]["generated"])
    assert found["distinct"] < born[1]["distinct"]


def test_runs_of_tokens_are_counted_within_rows() -> None:
    assert distinct(torch.tensor([[1, 2, 3, 4, 5], [1, 2, 3, 4, 6]])) == 3 / 4

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.compress import quality
from jobs.compress.quality import (
    kl_divergence,
    load_log_probabilities,
    log_probabilities,
    logits_error,
    perplexity,
    save_log_probabilities,
)


@pytest.fixture
def rows() -> Any:
    return torch.randint(3, 96, (5, 12), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def changed(llama: Any) -> Any:
    other = copy.deepcopy(llama)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(1.5)
    return other


def test_perplexity_is_that_of_the_models_own_loss(llama: Any, rows: Any) -> None:
    with torch.no_grad():
        loss = llama(input_ids=rows, labels=rows).loss.item()
    assert perplexity(llama, rows) == pytest.approx(math.exp(loss), rel=1e-5)


def test_the_divergence_is_torchs_whether_the_reference_lies_in_files_or_is_a_model(
    llama: Any, changed: Any, rows: Any, tmp_path: Path
) -> None:
    with torch.no_grad():
        ours, theirs = (model(input_ids=rows).logits.log_softmax(-1).flatten(0, 1) for model in (changed, llama))
    wanted = torch.nn.functional.kl_div(ours, theirs, log_target=True, reduction="batchmean").item()
    save_log_probabilities(llama, rows, tmp_path)
    assert kl_divergence(changed, log_probabilities(llama, rows), rows) == pytest.approx(wanted, rel=1e-4)
    assert kl_divergence(changed, load_log_probabilities(tmp_path), rows) == pytest.approx(wanted, rel=1e-4)
    assert wanted > 0


def test_a_model_does_not_differ_from_itself(llama: Any, rows: Any) -> None:
    assert kl_divergence(llama, log_probabilities(llama, rows), rows) == 0
    assert logits_error(llama, llama, rows) == 0


def test_the_error_of_logits_is_relative(llama: Any, rows: Any) -> None:
    doubled = copy.deepcopy(llama)
    with torch.no_grad():
        doubled.lm_head.weight.mul_(1.25)
    assert logits_error(doubled, llama, rows) == pytest.approx(0.25, rel=1e-4)


def test_how_rows_are_batched_changes_nothing(llama: Any, changed: Any, rows: Any, monkeypatch: Any) -> None:
    whole = perplexity(changed, rows), kl_divergence(changed, log_probabilities(llama, rows), rows)
    monkeypatch.setattr(quality, "BATCH_TOKENS", 24)
    parts = perplexity(changed, rows), kl_divergence(changed, log_probabilities(llama, rows), rows)
    assert parts == pytest.approx(whole, rel=1e-5)

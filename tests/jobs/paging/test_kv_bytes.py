from __future__ import annotations

from typing import Any

import pytest
import torch

from jobs.paging.kv_bytes import PUBLISHED, bytes_per_token, cache_bytes_per_token, skeleton
from tests.jobs.conftest import small_llama


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("num_tokens", [1, 7])
def test_the_cache_that_a_model_fills_takes_what_the_formula_says(dtype: Any, num_tokens: int) -> None:
    model = small_llama().to(dtype)
    # Two layers, a key and a value each, of two heads of 16 numbers.
    assert cache_bytes_per_token(model, num_tokens) == 2 * 2 * 2 * 16 * dtype.itemsize
    assert bytes_per_token(model.config, dtype.itemsize) == 2 * 2 * 2 * 16 * dtype.itemsize


@pytest.mark.parametrize(("name", "kib"), [("llama_2_7b", 512), ("llama_2_70b", 320), ("llama_3_8b", 128)])
def test_published_models_take_their_published_sizes(name: str, kib: int) -> None:
    assert name in PUBLISHED
    model = skeleton(name)
    assert cache_bytes_per_token(model, 4) == kib * 2**10
    assert bytes_per_token(model.config, 2) == kib * 2**10
    assert bytes_per_token(model.config, 1) == kib * 2**9

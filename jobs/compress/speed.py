"""Tokens a second of a model: of many at once, as a prompt is read, and of one after the other, as text is written."""

from __future__ import annotations

import statistics
import time
from typing import Any

ROUNDS = 3
PROMPT_LENGTH = 16


def prefill_tokens_per_second(model: Any, rows: Any) -> float:
    """Tokens of `rows` (count, length) a second in one forward pass: the median of three, after one that warms up."""
    import torch

    rows = rows.to(_device(model))
    with torch.inference_mode():
        seconds = [_seconds(lambda: model(input_ids=rows)) for _ in range(ROUNDS + 1)]
    return float(rows.numel() / statistics.median(seconds[1:]))


def decode_tokens_per_second(model: Any, rows: Any, num_tokens: int) -> float:
    """Tokens a second of greedy decoding behind one prompt, with a cache: the median of three, after a short one."""
    import torch

    prompt = rows[:1, :PROMPT_LENGTH].to(_device(model))

    def decode(count: int) -> None:
        model.generate(
            input_ids=prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=count,
            min_new_tokens=count,
            do_sample=False,
            use_cache=True,
        )

    with torch.inference_mode():
        decode(2)
        return num_tokens / statistics.median(_seconds(lambda: decode(num_tokens)) for _ in range(ROUNDS))


def _device(model: Any) -> Any:
    return getattr(model, "device", "cpu")


def _seconds(call: Any) -> float:
    import torch

    began = time.perf_counter()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began

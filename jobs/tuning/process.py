"""The process that trains: how it is set, and what memory of a GPU it took."""

from __future__ import annotations

import gc


def prepare() -> None:
    """No words from transformers, and on a CPU only operations that give the same each time."""
    import torch
    from transformers import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.use_deterministic_algorithms(mode=not torch.cuda.is_available())


def gpu_memory() -> dict[str, float]:
    """The peak of this process's GPU memory since it was last asked for; nothing on a CPU."""
    import torch

    if not torch.cuda.is_available():
        return {}
    peak = torch.cuda.max_memory_allocated() / 2**30
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return {"peak_memory_gib": peak}

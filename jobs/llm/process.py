"""The process that trains or measures: how it is set, what it reports, and what memory of a GPU it took."""

from __future__ import annotations

import gc

from jobs.launch.folder import report


def quiet() -> None:
    """No words and no bars from transformers."""
    from transformers import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def prepare() -> None:
    """Be quiet, and on a CPU take only operations that give the same each time."""
    import torch

    quiet()
    torch.use_deterministic_algorithms(mode=not torch.cuda.is_available())


def report_pretraining(step: int, steps: int, loss: float) -> None:
    """What `Base.of` is given to follow a pretraining."""
    report("pretrain", step, steps, loss=loss)


def report_step(phase: str, steps: int, step: int, loss: float, seconds: float, tokens: int) -> None:
    """What `finetune` is given, with its phase and number of steps, to follow a training."""
    report(phase, step, steps, loss=loss, tokens_per_second=tokens / seconds)


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

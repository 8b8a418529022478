"""What one step keeps in memory, and what it holds at its worst."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jobs.parallel.whole import Whole


@dataclass(frozen=True, kw_only=True, slots=True)
class StepMemory:
    """Bytes on one worker."""

    kept: int
    """Activations that the forward pass leaves for the backward pass."""
    peak: int
    """The most at any time of the step beyond weights and optimizer state: activations, gradients, temporaries."""
    states: int
    """Weights and optimizer state, which are there all the time."""


def measure_step(engine: Whole, tokens: Any) -> StepMemory:
    """Take one step on a micro-batch `[rows, length + 1]`, and count; the optimizer must have stepped before.

    On a GPU it asks the allocator. On a CPU torch's own `MemTracker` sees every tensor come and go, and slows the step.
    """
    if engine.device.type == "cuda":
        return _by_the_allocator(engine, tokens)
    import torch
    from torch.distributed._tools.mem_tracker import MemTracker

    tracker = MemTracker()
    tracker.track_external(engine.model, engine.optimizer)
    with tracker:
        loss = engine.loss(tokens)
        kept = _by_kind(tracker.get_tracker_snapshot("current"), torch.device("cpu"))
        loss.backward()
        engine.optimizer.step()
        engine.optimizer.zero_grad()
    peak = _by_kind(tracker.get_tracker_snapshot("peak"), torch.device("cpu"))
    states = sum(peak[name] for name in ("Parameter", "Buffer", "Optstate"))
    return StepMemory(kept=kept["Activation"], peak=peak["Total"] - states, states=states)


def _by_the_allocator(engine: Whole, tokens: Any) -> StepMemory:
    import torch

    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    states = torch.cuda.memory_allocated()
    loss = engine.loss(tokens)
    kept = torch.cuda.memory_allocated() - states
    loss.backward()
    engine.optimizer.step()
    engine.optimizer.zero_grad()
    return StepMemory(kept=kept, peak=torch.cuda.max_memory_allocated() - states, states=states)


def _by_kind(snapshot: Any, device: Any) -> dict[str, int]:
    """Bytes by MemTracker's own names."""
    return {str(getattr(kind, "value", kind)): int(count) for kind, count in snapshot[device].items()}

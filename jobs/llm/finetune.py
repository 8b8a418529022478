"""Train the adapters of a frozen base on packed examples, checkpointed, the same from any checkpoint on."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jobs.llm.alpaca import Tokens
from jobs.llm.checkpoints import Checkpoints
from jobs.llm.packing import PackedBatch, pack, response_loss


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How to train."""

    steps: int
    batch_size: int
    """Examples a step."""
    row_length: int
    """Tokens in a packed row."""
    learning_rate: float
    """Constant, as in the paper."""
    max_grad_norm: float
    checkpoint_every: int
    seed: int


@dataclass(kw_only=True, slots=True)
class Progress:
    """How far a training is; what a checkpoint keeps beside weights, optimizer and random state."""

    step: int = 0
    tokens: int = 0
    """Tokens of examples seen, padding not counted."""
    seconds: float = 0.0
    """Time in steps, of all attempts; the first step of each, which warms up, and its tokens are not counted."""

    @property
    def tokens_per_second(self) -> float:
        """Measured over the steps that count; 0 where there are none."""
        return self.tokens / self.seconds if self.seconds else 0.0


def finetune(
    model: Any,
    examples: Sequence[Tokens],
    recipe: Recipe,
    *,
    checkpoints: Checkpoints | None = None,
    on_step: Callable[[int, float, float, int], None] | None = None,
) -> Progress:
    """Train what `requires_grad` in `model` to `recipe.steps`, from the latest checkpoint on.

    `on_step` is called with the number of the step, its loss, its seconds and its tokens.
    """
    import torch

    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    device = next(iter(trained.values())).device
    optimizer = make_optimizer(list(trained.values()), recipe.learning_rate)
    progress = _resume(trained, optimizer, checkpoints)
    first = progress.step + 1
    model.train()
    for step in range(first, recipe.steps + 1):
        began = time.perf_counter()
        batch = nth_batch(examples, step, recipe).to(device)
        loss = response_loss(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained.values(), recipe.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        value = loss.item()
        seconds = time.perf_counter() - began
        progress.step = step
        if step > first:
            progress.tokens += batch.num_tokens
            progress.seconds += seconds
        if on_step:
            on_step(step, value, seconds, batch.num_tokens)
        if checkpoints and (step % recipe.checkpoint_every == 0 or step == recipe.steps):
            checkpoints.save(step, _state(trained, optimizer, progress))
    return progress


def batch_indices(num_examples: int, step: int, recipe: Recipe) -> list[int]:
    """Which examples a step takes, by seed and number alone: each pass over them is in an order of its own."""
    size = min(recipe.batch_size, num_examples)
    number, place = divmod(step - 1, num_examples // size)
    return list(_order(num_examples, recipe.seed, number)[place * size : (place + 1) * size])


def nth_batch(examples: Sequence[Tokens], step: int, recipe: Recipe) -> PackedBatch:
    """The packed batch of a step."""
    return pack([examples[index] for index in batch_indices(len(examples), step, recipe)], recipe.row_length)


def make_optimizer(weights: list[Any], learning_rate: float) -> Any:
    """AdamW without weight decay: paged between GPU and CPU memory where there is CUDA, as published."""
    if weights[0].is_cuda:
        from bitsandbytes.optim import PagedAdamW32bit

        return PagedAdamW32bit(weights, lr=learning_rate, weight_decay=0.0)
    from torch.optim import AdamW

    return AdamW(weights, lr=learning_rate, weight_decay=0.0)


@lru_cache(maxsize=1)
def _order(num_examples: int, seed: int, number: int) -> tuple[int, ...]:
    """The order of one pass, shuffled once and not at each step."""
    order = list(range(num_examples))
    random.Random(f"{seed}/{number}").shuffle(order)
    return tuple(order)


def _resume(trained: dict[str, Any], optimizer: Any, checkpoints: Checkpoints | None) -> Progress:
    import torch

    state = checkpoints.latest() if checkpoints else None
    if state is None:
        return Progress()
    with torch.no_grad():
        for name, weight in trained.items():
            weight.copy_(state["weights"][name])
    optimizer.load_state_dict(state["optimizer"])
    _set_random_state(state["random"])
    return Progress(**state["progress"])


def _state(trained: dict[str, Any], optimizer: Any, progress: Progress) -> dict[str, Any]:
    return {
        "weights": {name: weight.detach().cpu() for name, weight in trained.items()},
        "optimizer": optimizer.state_dict(),
        "random": list(_random_states()),
        "progress": {"step": progress.step, "tokens": progress.tokens, "seconds": progress.seconds},
    }


def _random_states() -> Iterator[Any]:
    import torch

    yield torch.get_rng_state()
    if torch.cuda.is_available():
        yield torch.cuda.get_rng_state()


def _set_random_state(states: list[Any]) -> None:
    import torch

    torch.set_rng_state(states[0])
    if len(states) > 1:
        torch.cuda.set_rng_state(states[1])

"""Train what is not frozen of a model on packed examples, checkpointed, the same from any checkpoint on."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

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

    @classmethod
    def of(cls, config: object) -> Recipe:
        """The fields of a job's Config that bear these names."""
        return cls(**{field.name: getattr(config, field.name) for field in dataclasses.fields(cls)})


@dataclass(kw_only=True, slots=True)
class Progress:
    """How far a training is; what a checkpoint keeps beside weights, optimizer and random state."""

    step: int = 0
    tokens: int = 0
    """Tokens of examples seen, padding not counted."""
    seconds: float = 0.0
    """Time in steps, of all attempts; the first step of each, which warms up, and its tokens are not counted."""

    gradient_bytes: int = 0
    """Of all gradients at once, as a step has them."""
    optimizer_bytes: int = 0
    """Of what the optimizer keeps between steps."""

    @property
    def tokens_per_second(self) -> float:
        """Measured over the steps that count; 0 where there are none."""
        return self.tokens / self.seconds if self.seconds else 0.0


class Schedule(Protocol):
    """What changes a model between steps beside the optimizer, such as the ranks of AdaLoRA."""

    def penalty(self) -> Any:
        """What is added to the loss before the backward pass; the loss that is reported is without it."""

    def after_step(self, step: int) -> None:
        """Called when the optimizer has stepped; the gradients are still there."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""


def finetune(
    model: Any,
    examples: Sequence[Tokens],
    recipe: Recipe,
    *,
    checkpoints: Checkpoints | None = None,
    on_step: Callable[[int, float, float, int], None] | None = None,
    schedule: Schedule | None = None,
    loss_of: Callable[[Any, PackedBatch], Any] = response_loss,
) -> Progress:
    """Train what `requires_grad` in `model` to `recipe.steps`, from the latest checkpoint on.

    `on_step` is called with the number of the step, its loss, its seconds and its tokens.
    """
    training = _Training(model, recipe, schedule)
    progress = training.resume(checkpoints)
    first = progress.step + 1
    model.train()
    for step in range(first, recipe.steps + 1):
        began = time.perf_counter()
        batch = nth_batch(examples, step, recipe).to(training.device)
        loss = training.update(step, loss_of(model, batch), measure=step == first)
        value = loss.item()
        seconds = time.perf_counter() - began
        progress.step = step
        if step > first:
            progress.tokens += batch.num_tokens
            progress.seconds += seconds
        if on_step:
            on_step(step, value, seconds, batch.num_tokens)
        if checkpoints and (step % recipe.checkpoint_every == 0 or step == recipe.steps):
            checkpoints.save(step, training.state())
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


class _Training:
    """All that a training changes."""

    def __init__(self, model: Any, recipe: Recipe, schedule: Schedule | None) -> None:
        self.trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self.device = next(iter(self.trained.values())).device
        self.optimizer = make_optimizer(list(self.trained.values()), recipe.learning_rate)
        self.schedule = schedule
        self.max_grad_norm = recipe.max_grad_norm
        self.progress = Progress()

    def update(self, step: int, loss: Any, *, measure: bool) -> Any:
        """One optimizer step; returns the loss as it was given."""
        import torch

        (loss if self.schedule is None else loss + self.schedule.penalty()).backward()
        torch.nn.utils.clip_grad_norm_(self.trained.values(), self.max_grad_norm)
        self.optimizer.step()
        if self.schedule is not None:
            self.schedule.after_step(step)
        if measure:
            self.progress.gradient_bytes = sum(weight.grad.nbytes for weight in self.trained.values())
            states = (tensor for state in self.optimizer.state.values() for tensor in state.values())
            self.progress.optimizer_bytes = sum(tensor.nbytes for tensor in states if torch.is_tensor(tensor))
        self.optimizer.zero_grad()
        return loss

    def resume(self, checkpoints: Checkpoints | None) -> Progress:
        """Take over the latest checkpoint, if there is one."""
        import torch

        state = checkpoints.latest() if checkpoints else None
        if state is None:
            return self.progress
        with torch.no_grad():
            for name, weight in self.trained.items():
                weight.copy_(state["weights"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.schedule is not None:
            self.schedule.load_state_dict(state["schedule"])
        _set_random_state(state["random"])
        self.progress = Progress(**state["progress"])
        return self.progress

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {
            "weights": {name: weight.detach().cpu() for name, weight in self.trained.items()},
            "optimizer": self.optimizer.state_dict(),
            "schedule": None if self.schedule is None else self.schedule.state_dict(),
            "random": list(_random_states()),
            "progress": dataclasses.asdict(self.progress),
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

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model

from jobs.llm.alpaca import Tokens
from jobs.llm.checkpoints import Checkpoints
from jobs.llm.finetune import Recipe, finetune, nth_batch
from tests.jobs.conftest import small_llama

RECIPE = Recipe(steps=9, batch_size=8, row_length=64, learning_rate=1e-2, max_grad_norm=0.3, checkpoint_every=2, seed=0)


def _adapted() -> Any:
    """LoRA with dropout, so that the random state matters."""
    llama = small_llama()
    llama.requires_grad_(requires_grad=False)
    return get_peft_model(llama, LoraConfig(r=4, lora_dropout=0.2, target_modules="all-linear", task_type="CAUSAL_LM"))


def _losses(model: Any, examples: list[Tokens], recipe: Recipe, checkpoints: Checkpoints | None = None) -> list[float]:
    losses: list[float] = []
    finetune(model, examples, recipe, checkpoints=checkpoints, on_step=lambda _, loss, *__: losses.append(loss))
    return losses


def test_training_lowers_the_loss_and_leaves_the_base_as_it_was(examples: list[Tokens]) -> None:
    model, base = _adapted(), small_llama()
    losses = _losses(model, examples, RECIPE)
    assert losses[-1] < losses[0]
    after = {name.replace(".base_layer", ""): weight for name, weight in model.get_base_model().named_parameters()}
    assert all(torch.equal(weight, after[name]) for name, weight in base.named_parameters())


class _GoneError(Exception):
    """The machine was taken away."""


@pytest.mark.parametrize("stopped_at", [2, 5])
def test_a_training_that_was_stopped_goes_on_to_the_very_same_losses(
    examples: list[Tokens], tmp_path: Path, stopped_at: int
) -> None:
    def stop(step: int, *_: float) -> None:
        if step == stopped_at:
            raise _GoneError

    whole = _losses(_adapted(), examples, RECIPE)
    checkpoints = Checkpoints(folder=tmp_path)
    with pytest.raises(_GoneError):
        finetune(_adapted(), examples, RECIPE, checkpoints=checkpoints, on_step=stop)
    resumed = _losses(_adapted(), examples, RECIPE, checkpoints)
    assert len(resumed) == RECIPE.steps - (stopped_at - 1) // 2 * 2
    assert resumed == whole[-len(resumed) :]


def test_a_finished_training_is_not_done_again(examples: list[Tokens], tmp_path: Path) -> None:
    checkpoints = Checkpoints(folder=tmp_path)
    first = finetune(_adapted(), examples, RECIPE, checkpoints=checkpoints)
    again = finetune(_adapted(), examples, RECIPE, checkpoints=checkpoints, on_step=lambda *_: pytest.fail("a step"))
    assert again == first


def test_each_pass_takes_every_example_once_in_an_order_of_its_own(examples: list[Tokens]) -> None:
    passes = [[nth_batch(examples, step, RECIPE) for step in steps] for steps in ((1, 2, 3), (4, 5, 6))]
    tokens = [sum(batch.num_tokens for batch in batches) for batches in passes]
    assert tokens[0] == tokens[1] == sum(len(example) for example in examples)
    assert passes[0][0].targets.tolist() != passes[1][0].targets.tolist()

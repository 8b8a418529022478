from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel

from jobs.llm.alpaca import Tokens
from jobs.llm.checkpoints import Checkpoints
from jobs.llm.finetune import finetune
from jobs.tuning.methods import METHODS
from jobs.tuning.rank_budget import RankBudget
from tests.jobs.conftest import small_llama
from tests.jobs.tuning.conftest import settings

NUM_LAYERS = 14
CONFIG = settings(STEPS="30", CHECKPOINT_EVERY="4")
RECIPE = dataclasses.replace(CONFIG.recipe(), learning_rate=2e-2)


def _adapted() -> tuple[Any, RankBudget]:
    model = METHODS["adalora"].attach(small_llama().requires_grad_(requires_grad=False), CONFIG)
    return model, RankBudget(model)


@pytest.fixture(scope="module")
def rows() -> list[Tokens]:
    return [Tokens(prompt=[3 + n, 4 + n, 5], response=[50 + n % 4]) for n in range(32)]


@pytest.fixture(scope="module")
def trained(rows: list[Tokens]) -> tuple[Any, RankBudget, list[float], list[int]]:
    """The model, its budget, the losses and the sum of all ranks after each step."""
    model, budget = _adapted()
    losses: list[float] = []
    totals: list[int] = []

    def on_step(_: int, loss: float, *__: float) -> None:
        losses.append(loss)
        totals.append(sum(budget.ranks().values()))

    finetune(model, rows, RECIPE, schedule=budget, on_step=on_step)
    return model, budget, losses, totals


def test_the_budget_falls_step_by_step_from_the_initial_ranks_to_the_wanted_mean(
    trained: tuple[Any, RankBudget, list[float], list[int]],
) -> None:
    _, _, _, totals = trained
    phases = RankBudget.phases(30)
    assert totals[: phases.warmup] == [6 * NUM_LAYERS] * phases.warmup
    assert totals == sorted(totals, reverse=True)
    assert len(set(totals)) > 4
    assert totals[-phases.final :] == [4 * NUM_LAYERS] * phases.final


def test_ranks_end_where_they_matter_and_not_everywhere_the_same(
    trained: tuple[Any, RankBudget, list[float], list[int]],
) -> None:
    ranks = trained[1].ranks()
    assert len(ranks) == NUM_LAYERS
    assert sum(ranks.values()) == 4 * NUM_LAYERS
    assert min(ranks.values()) < 4 < max(ranks.values())


@pytest.mark.filterwarnings("ignore:The following rank_pattern keys:RuntimeWarning")  # PEFT reads AdaLoRA's as LoRA's
def test_the_ranks_are_those_of_the_singular_values_and_of_what_peft_loads(
    trained: tuple[Any, RankBudget, list[float], list[int]], tmp_path: Path
) -> None:
    model, budget, *_ = trained
    ranks = budget.ranks()
    left = {
        name.removeprefix("base_model.model.").partition(".lora_E")[0]: int((weight != 0).sum())
        for name, weight in model.named_parameters()
        if ".lora_E." in name
    }
    assert left == ranks
    model.save_pretrained(tmp_path)
    again = PeftModel.from_pretrained(small_llama(), tmp_path)
    loaded = {
        name.removeprefix("base_model.model.").partition(".lora_E")[0]: len(weight)
        for name, weight in again.named_parameters()
        if ".lora_E." in name
    }
    assert loaded == ranks == budget.ranks()


def test_the_penalty_is_the_one_that_peft_adds_to_a_loss() -> None:
    model, budget = _adapted()
    ids = torch.arange(20).reshape(1, 20)
    model.eval()
    with torch.no_grad():
        with_penalty = model(input_ids=ids, labels=ids).loss
        without = model.get_base_model()(input_ids=ids, labels=ids).loss
    torch.testing.assert_close(budget.penalty(), with_penalty - without, atol=1e-5, rtol=1e-4)


class _GoneError(Exception):
    """The machine was taken away."""


@pytest.mark.parametrize("stopped_at", [5, 14, 26])
def test_a_training_that_was_stopped_goes_on_to_the_very_same_losses_and_ranks(
    trained: tuple[Any, RankBudget, list[float], list[int]], rows: list[Tokens], tmp_path: Path, stopped_at: int
) -> None:
    def stop(step: int, *_: float) -> None:
        if step == stopped_at:
            raise _GoneError

    checkpoints = Checkpoints(folder=tmp_path)
    model, budget = _adapted()
    with pytest.raises(_GoneError):
        finetune(model, rows, RECIPE, checkpoints=checkpoints, schedule=budget, on_step=stop)
    model, budget = _adapted()
    resumed: list[float] = []
    finetune(
        model,
        rows,
        RECIPE,
        checkpoints=checkpoints,
        schedule=budget,
        on_step=lambda _, loss, *__: resumed.append(loss),
    )
    assert len(resumed) == 30 - (stopped_at - 1) // 4 * 4
    assert resumed == trained[2][-len(resumed) :]
    assert budget.ranks() == trained[1].ranks()


def test_too_few_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="4 steps: AdaLoRA needs 5 at least"):
        RankBudget.phases(4)


@pytest.mark.parametrize("steps", [5, 6, 7, 10, 11])
def test_the_shortest_trainings_still_end_at_the_wanted_ranks(rows: list[Tokens], steps: int) -> None:
    config = settings(STEPS=str(steps))
    model = METHODS["adalora"].attach(small_llama().requires_grad_(requires_grad=False), config)
    budget = RankBudget(model)
    finetune(model, rows, config.recipe(), schedule=budget)
    assert sum(budget.ranks().values()) == 4 * NUM_LAYERS

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from transformers import MixtralForCausalLM
from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

from clusterlab.fit.shapes import SHAPES
from jobs.parallel.mixtral import MIXTRAL_8X7B, Mixture, balance_loss, mixtral, mixtral_config

SMALL = Mixture(dense=replace(SHAPES["tiny"], num_layers=2), num_experts=4, top_k=2)


def _num_weights(mixture: Mixture) -> int:
    with torch.device("meta"):
        model = MixtralForCausalLM(mixtral_config(mixture, seq_length=64))
    return sum(weight.numel() for weight in model.parameters())


def test_mixtral_8x7b_has_the_published_sizes() -> None:
    assert round(MIXTRAL_8X7B.total_parameters / 1e9, 1) == 46.7
    assert round(MIXTRAL_8X7B.active_parameters / 1e9, 1) == 12.9


@pytest.mark.parametrize("mixture", [MIXTRAL_8X7B, SMALL, replace(SMALL, dense=SHAPES["smollm2-135m"], top_k=1)])
def test_transformers_counts_as_many_weights(mixture: Mixture) -> None:
    assert mixture.total_parameters == _num_weights(mixture)


def test_a_token_is_multiplied_with_the_active_parameters_only() -> None:
    model = mixtral(SMALL, seq_length=64, seed=0)
    model(torch.tensor([[5]])).logits.sum().backward()
    experts = [weight.grad for name, weight in model.named_parameters() if ".experts." in name]
    unused = sum(int((gradient == 0).flatten(1).all(1).sum()) * gradient[0].numel() for gradient in experts)
    assert SMALL.active_parameters == SMALL.total_parameters - unused


def test_the_dense_model_is_as_large_as_what_is_active_but_for_routers() -> None:
    assert SMALL.active_parameters - SMALL.dense.num_parameters == 2 * 4 * 128


def test_half_of_all_tokens_of_two_ranks_travel_four_times_a_layer() -> None:
    sent = SMALL.exchanged_bytes(100, world_size=2, value_bytes=4)
    assert sent == 4 * (100 * 2 * 2) * 128 * 4 / 2
    assert SMALL.exchanged_bytes(100, world_size=1, value_bytes=4) == 0


def test_balance_is_one_where_all_experts_do_as_much_and_more_where_few_do_it() -> None:
    even = 10 * torch.eye(4).repeat(8, 1)
    assert balance_loss([even], top_k=1).item() == pytest.approx(1)
    assert balance_loss([even[:1].repeat(32, 1)], top_k=1).item() == pytest.approx(4, abs=0.01)
    assert balance_loss([torch.tensor([[9.0, 9.0, 0.0, 0.0]])], top_k=2).item() == pytest.approx(2, abs=0.01)


def test_a_layer_is_as_balanced_as_transformers_says_of_it_alone() -> None:
    logits = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    theirs = load_balancing_loss_func((logits,), num_experts=4, top_k=2)
    assert balance_loss([logits], top_k=2).item() == pytest.approx(theirs.item() / 2)


def test_too_much_in_one_layer_is_not_made_good_by_too_little_in_another() -> None:
    first, second = torch.tensor([[9.0, 0.0]]), torch.tensor([[0.0, 9.0]])
    assert load_balancing_loss_func((first, second), num_experts=2, top_k=1).item() == pytest.approx(1)
    assert balance_loss([first, second], top_k=1).item() == pytest.approx(2, abs=0.01)

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from clusterlab.errors import InputError
from jobs.compress.distortion import matmul_errors, share_of_columns
from jobs.compress.int8 import THRESHOLD, decompose, quantize
from jobs.compress.layers import decoder_linears, norm_groups
from jobs.compress.outliers import busiest_channels, outlier_features, plant
from jobs.compress.smooth import channel_maxima, smooth, smoothing_factors
from tests.jobs.conftest import VOCABULARY, small_llama

CHANNELS = torch.tensor([3, 40])


@pytest.fixture
def rows() -> Any:
    torch.manual_seed(2)
    return torch.randint(0, VOCABULARY, (3, 24))


def _logits(model: Any, rows: Any) -> Any:
    with torch.no_grad():
        return model(input_ids=rows).logits


def _weights(model: Any) -> dict[str, Any]:
    return {f"{g.name}.{n}": w for g in norm_groups(model) for n, w in enumerate((g.norm.weight.data, *g.weights))}


def test_every_layer_that_reads_a_norm_is_in_its_group(llama: Any) -> None:
    grouped = {id(linear) for group in norm_groups(llama) for linear in group.linears}
    read = {name for name, linear in decoder_linears(llama).items() if id(linear) in grouped}
    assert {name.rpartition(".")[2] for name in read} == {"q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"}
    assert len(read) == 5 * len(llama.model.layers)


def test_a_model_of_another_build_is_refused() -> None:
    model = GPT2LMHeadModel(GPT2Config(n_embd=8, n_layer=1, n_head=1, vocab_size=16))
    with pytest.raises(InputError, match="MODEL: a gpt2 model; allowed: llama, mistral"):
        norm_groups(model)


def test_planting_changes_the_activations_and_no_bit_of_the_result(llama: Any, rows: Any) -> None:
    before, maxima = _logits(llama, rows), channel_maxima(llama, rows)
    plant(llama, CHANNELS, 64)
    assert torch.equal(_logits(llama, rows), before)
    for name, planted in channel_maxima(llama, rows).items():
        factors = torch.ones(64)
        factors[CHANNELS] = 64
        assert torch.equal(planted, maxima[name] * factors)


def test_what_is_planted_is_found_and_nothing_else(llama: Any, rows: Any) -> None:
    assert outlier_features(llama, rows, THRESHOLD) == []
    plant(llama, CHANNELS, 64)
    assert outlier_features(llama, rows, THRESHOLD) == CHANNELS.tolist()


def test_a_channel_that_is_large_in_one_layer_or_at_one_token_is_no_outlier_feature(llama: Any, rows: Any) -> None:
    groups = norm_groups(llama)
    factors = torch.ones(64)
    factors[7] = 64
    groups[0].scale(factors)
    assert outlier_features(llama, rows, THRESHOLD) == [7]  # One of four norms is a quarter.
    threshold = float(channel_maxima(llama, rows)[groups[0].name][7])
    assert outlier_features(llama, rows, threshold) == []  # Reached by one token.


def test_the_busiest_channels_are_those_that_add_most(llama: Any, rows: Any) -> None:
    for group in norm_groups(llama):
        for weight in group.weights:
            weight[:, CHANNELS] *= 10
    assert torch.equal(busiest_channels(llama, channel_maxima(llama, rows), 2), CHANNELS)


def test_outliers_ruin_int8_and_not_its_decomposition(llama: Any, rows: Any) -> None:
    errors = {}
    for factor in (1, 64):
        plant(llama, CHANNELS, factor)
        layers = quantize(llama)
        forms = {"plain": layers, "decomposed": decompose(llama, layers, THRESHOLD)}
        found = matmul_errors(llama, forms, rows)
        errors[factor] = {form: found[form]["model.layers.0.self_attn.q_proj"] for form in forms}
    assert errors[1]["plain"] < 0.02
    assert errors[64]["plain"] > 10 * errors[1]["plain"]
    assert errors[64]["decomposed"] <= 1.05 * errors[1]["plain"]


def test_the_error_of_a_layer_is_that_of_its_product(llama: Any, rows: Any) -> None:
    name = "model.layers.0.mlp.gate_proj"
    layers = quantize(llama)
    seen = []
    llama.get_submodule(name).register_forward_hook(lambda _, inputs, output: seen.append((inputs[0], output)))
    found = matmul_errors(llama, {"plain": layers}, rows)["plain"][name]
    pairs = seen[: len(rows)]
    wrong = sum(float((layers[name](given) - output).square().sum()) for given, output in pairs)
    whole = sum(float(output.square().sum()) for _, output in pairs)
    assert found == pytest.approx((wrong / whole) ** 0.5)


def test_the_share_of_columns_counts_planted_ones_where_they_are_read(llama: Any, rows: Any) -> None:
    assert share_of_columns(llama, THRESHOLD, rows) == 0
    plant(llama, CHANNELS, 64)
    # Five of the seven layers of a block read a norm, and two of their 64 columns are planted.
    assert share_of_columns(llama, THRESHOLD, rows) == pytest.approx(5 / 7 * 2 / 64)


def test_smoothing_follows_equation_4() -> None:
    weights = (torch.tensor([[1.0, -4.0], [0.5, 2.0]]), torch.tensor([[-2.0, 1.0]]))
    factors = smoothing_factors(torch.tensor([8.0, 16.0]), weights, 0.5)
    torch.testing.assert_close(factors, torch.tensor([(8 / 2) ** 0.5, (16 / 4) ** 0.5]))


@pytest.mark.parametrize("migration", [0.0, 0.5, 1.0])
def test_the_migration_changes_no_result_and_undoes_what_was_planted_at_any_strength(
    llama: Any, rows: Any, migration: float
) -> None:
    natural, wanted = small_llama(), _logits(llama, rows)
    plant(llama, CHANNELS, 64)
    for model in (natural, llama):
        smooth(model, channel_maxima(model, rows), migration)
        torch.testing.assert_close(_logits(model, rows), wanted, rtol=1e-4, atol=1e-5)
    for name, weight in _weights(llama).items():
        torch.testing.assert_close(weight, _weights(natural)[name])


def test_at_its_ends_the_migration_makes_activations_or_weights_even(rows: Any) -> None:
    activations, weights = small_llama(), small_llama()
    smooth(activations, channel_maxima(activations, rows), 1.0)
    smooth(weights, channel_maxima(weights, rows), 0.0)
    for maxima in channel_maxima(activations, rows).values():
        torch.testing.assert_close(maxima, torch.ones(64))
    for group in norm_groups(weights):
        torch.testing.assert_close(torch.cat(group.weights).abs().amax(dim=0), torch.ones(64))

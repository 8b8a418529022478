from __future__ import annotations

import pytest

from clusterlab.fit.memory import Precision, Recompute, activations, model_states
from clusterlab.fit.shapes import SHAPES, Shape

LLAMA = SHAPES["llama-2-7b"]
GPT_LIKE = Shape(
    name="as wide as GPT",
    hidden_size=128,
    intermediate_size=2 * 128,
    num_layers=3,
    num_attention_heads=8,
    num_key_value_heads=8,
    vocab_size=1000,
    tied=False,
)
"""With f = 2h, SwiGLU's 4f are the 8h of the GELU MLP in arXiv:2205.05198."""


@pytest.mark.parametrize(("zero_stage", "gigabytes"), [(0, 120.0), (1, 31.4), (2, 16.6), (3, 1.9)])
def test_states_are_those_of_the_zero_paper(zero_stage: int, gigabytes: float) -> None:
    """arXiv:1910.02054, figure 1: 7.5 billion parameters, 64 GPUs."""
    states = model_states(7_500_000_000, zero_stage=zero_stage, world_size=64, precision=Precision.MIXED)
    assert round(states.total / 1e9, 1) == gigabytes


@pytest.mark.parametrize(("zero_stage", "gigabytes"), [(0, 107.8), (1, 37.1), (2, 25.3), (3, 13.5)])
def test_states_of_llama_on_eight(zero_stage: int, gigabytes: float) -> None:
    states = model_states(LLAMA.num_parameters, zero_stage=zero_stage, world_size=8, precision=Precision.MIXED)
    assert round(states.total / 1e9, 1) == gigabytes


def test_each_stage_splits_one_part_more() -> None:
    parts = []
    for stage in range(4):
        states = model_states(100, zero_stage=stage, world_size=4, precision=Precision.FLOAT32)
        parts.append((states.parameters, states.gradients, states.optimizer))
    assert parts == [(400, 400, 800), (400, 400, 200), (400, 100, 200), (100, 100, 200)]


def test_a_share_is_rounded_up_to_whole_parameters() -> None:
    assert model_states(10, zero_stage=3, world_size=4, precision=Precision.MIXED).parameters == 3 * 2


@pytest.mark.parametrize(("zero_stage", "world_size"), [(4, 1), (-1, 1), (0, 0)])
def test_a_stage_or_world_that_cannot_be_is_refused(zero_stage: int, world_size: int) -> None:
    with pytest.raises(ValueError, match="allowed: stage 0 to 3"):
        model_states(10, zero_stage=zero_stage, world_size=world_size, precision=Precision.MIXED)


def test_a_layer_is_that_of_korthikanti_without_dropout() -> None:
    """The paper's 34sbh + 5as^2b has 2sbh and 3as^2b of dropout."""
    found = activations(GPT_LIKE, micro_batch_size=2, seq_length=64, with_head=False)
    assert found == 3 * (32 * 64 * 2 * 128 + 2 * 8 * 64 * 64 * 2)


def test_tensor_parallelism_leaves_the_inputs_whole_and_sequence_parallelism_does_not() -> None:
    """10sbh + 24sbh/t becomes 34sbh/t in the paper's table 2; without dropout 8 + 24/t and 32/t."""
    tokens_hidden = 64 * 128
    for sequence_parallel, factor in ((False, 8 + 24 / 4), (True, 32 / 4)):
        found = activations(
            GPT_LIKE,
            micro_batch_size=1,
            seq_length=64,
            tensor_parallel=4,
            sequence_parallel=sequence_parallel,
            with_head=False,
        )
        assert found == 3 * (factor * tokens_hidden + 2 * 8 * 64 * 64 / 4)


def test_selective_keeps_one_layers_softmax_and_fused_attention_none() -> None:
    softmax = 2 * 8 * 64 * 64
    none = activations(GPT_LIKE, micro_batch_size=1, seq_length=64)
    selective = activations(GPT_LIKE, micro_batch_size=1, seq_length=64, recompute=Recompute.SELECTIVE)
    fused = activations(GPT_LIKE, micro_batch_size=1, seq_length=64, fused_attention=True)
    assert none - selective == 2 * softmax
    assert none - fused == 3 * (softmax - 4 * 8 * 64)


def test_full_keeps_the_inputs_and_one_layer_at_work() -> None:
    found = activations(GPT_LIKE, micro_batch_size=1, seq_length=64, recompute=Recompute.FULL, with_head=False)
    one = activations(GPT_LIKE, micro_batch_size=1, seq_length=64, num_layers=1, with_head=False)
    assert found == 3 * 2 * 64 * 128 + one


def test_logits_and_their_gradient_are_float32_whatever_the_values_are() -> None:
    def head(bytes_per_value: int) -> int:
        whole, bare = (
            activations(
                GPT_LIKE, micro_batch_size=1, seq_length=64, bytes_per_value=bytes_per_value, with_head=with_head
            )
            for with_head in (True, False)
        )
        return whole - bare

    assert head(2) == 64 * (8 * 1000 + 2 * 2 * 128)
    assert head(4) == 64 * (8 * 1000 + 2 * 4 * 128)


def test_float32_doubles_a_layer() -> None:
    mixed, whole = (
        activations(GPT_LIKE, micro_batch_size=1, seq_length=64, bytes_per_value=size, with_head=False)
        for size in (2, 4)
    )
    assert whole == 2 * mixed

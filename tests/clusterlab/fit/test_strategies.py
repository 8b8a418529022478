from __future__ import annotations

from dataclasses import replace

import pytest

from clusterlab.fit.assumptions import GRADIENT_BUCKET
from clusterlab.fit.memory import Precision, Recompute
from clusterlab.fit.shapes import SHAPES
from clusterlab.fit.strategies import Offload, Strategy, Training, strategies

LLAMA = SHAPES["llama-2-7b"]
TRAINING = Training(shape=LLAMA, seq_length=4096)
ZERO = [Strategy(zero_stage=stage, data_parallel=8) for stage in range(4)]


def test_every_strategy_uses_all_gpus_and_none_comes_twice() -> None:
    found = list(strategies(LLAMA, num_gpus=8, gpus_per_node=8))
    assert {each.world_size for each in found} == {8}
    assert len(found) == len(set(found))
    assert {each.name for each in found} == {
        "ddp",
        "zero-1",
        "zero-2",
        "zero-3/fsdp",
        "zero-2 +cpu",
        "zero-3 +cpu",
        "zero-3 +nvme",
        "tp-2 dp-4",
        "tp-4 dp-2",
        "tp-8",
        "tp-2 pp-2 dp-2",
        "tp-2 pp-4",
        "tp-4 pp-2",
    }
    assert len(found) == 13 * len(Recompute)


def test_tensor_parallelism_stays_inside_a_machine_and_divides_the_heads() -> None:
    assert not any(each.tensor_parallel > 1 for each in strategies(LLAMA, num_gpus=8, gpus_per_node=1))
    tiny = {each.tensor_parallel for each in strategies(SHAPES["tiny"], num_gpus=8, gpus_per_node=8)}
    assert tiny == {1, 2}  # two heads of keys


def test_pipelines_divide_the_layers() -> None:
    found = {each.pipeline_parallel for each in strategies(SHAPES["tinyllama-1.1b"], num_gpus=16, gpus_per_node=8)}
    assert found == {1, 2}  # 22 layers


def test_one_gpu_has_nothing_to_split() -> None:
    names = {each.name for each in strategies(LLAMA, num_gpus=1, gpus_per_node=1)}
    assert names == {"ddp", "zero-2 +cpu", "zero-3 +nvme"}


def test_states_are_those_of_the_formula() -> None:
    totals = [of.weights + of.gradients + of.optimizer for of in (each.footprint(TRAINING) for each in ZERO)]
    assert [round(total / 1e9, 1) for total in totals] == [107.8, 37.1, 25.3, 13.5]


def test_stage_three_has_layers_gathered_and_the_middle_stages_a_bucket() -> None:
    buffers = [each.footprint(TRAINING).buffers for each in ZERO]
    assert buffers == [0, 2 * GRADIENT_BUCKET, 2 * GRADIENT_BUCKET, 2 * 3 * LLAMA.parameters_per_layer]


def test_offload_moves_bytes_to_the_host_and_loses_none() -> None:
    zero_2 = ZERO[2].footprint(TRAINING)
    cpu = replace(ZERO[2], offload=Offload.CPU).footprint(TRAINING)
    assert (cpu.gradients, cpu.optimizer, cpu.weights) == (0, 0, zero_2.weights)
    assert cpu.host == zero_2.gradients + zero_2.optimizer
    nvme = replace(ZERO[3], offload=Offload.NVME).footprint(TRAINING)
    assert (nvme.weights, nvme.gradients, nvme.optimizer) == (0, 0, 0)
    assert 0 < nvme.host < cpu.host


@pytest.mark.parametrize(("tensor", "pipeline"), [(1, 1), (2, 1), (8, 1), (2, 4)])
def test_slices_add_up_to_the_model(tensor: int, pipeline: int) -> None:
    """The fullest stage times their number is all, but for norms that each rank has and the first stage's embedding."""
    one = Strategy(zero_stage=1, data_parallel=1, tensor_parallel=tensor, pipeline_parallel=pipeline)
    whole = one.parameters_of_stage(LLAMA) * tensor * pipeline
    norms = (tensor - 1) * 65 * 4096 + (pipeline - 1) * tensor * 4096
    extra = (pipeline - 2) * LLAMA.embedding_parameters if pipeline > 1 else 0
    assert whole == LLAMA.num_parameters + norms + extra


def test_a_pipelines_first_stage_keeps_a_micro_batch_for_each_stage() -> None:
    one = Strategy(zero_stage=1, data_parallel=1, tensor_parallel=2)
    two = replace(one, pipeline_parallel=2)
    few = replace(TRAINING, micro_batches=1)
    head = 4096 * (8 * 32000 + 2 * 2 * 4096) // 2
    assert two.footprint(TRAINING).activations == one.footprint(TRAINING).activations - head
    assert two.footprint(few).activations < two.footprint(TRAINING).activations


def test_float32_doubles_weights_and_spares_the_master() -> None:
    whole = ZERO[0].footprint(replace(TRAINING, precision=Precision.FLOAT32))
    mixed = ZERO[0].footprint(TRAINING)
    assert (whole.weights, whole.optimizer * 3) == (2 * mixed.weights, 2 * mixed.optimizer)

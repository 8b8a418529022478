from __future__ import annotations

from dataclasses import replace

import pytest

from clusterlab.catalog import Catalog
from clusterlab.fit.memory import Precision, Recompute
from clusterlab.fit.shapes import SHAPES
from clusterlab.fit.speed import Speed, speed, volume
from clusterlab.fit.strategies import Offload, Strategy, Training

TRAINING = Training(shape=SHAPES["llama-2-7b"], seq_length=4096)
EIGHT = Catalog.load().machines(accelerator="A100-80GB", count=8)[0]
ONE = Catalog.load().machines(accelerator="A100-80GB", count=1)[0]
DDP = Strategy(zero_stage=0, data_parallel=8)
TENSOR = Strategy(zero_stage=1, data_parallel=4, tensor_parallel=2)


def estimate(strategy: Strategy, training: Training = TRAINING) -> Speed:
    found = speed(strategy, training, EIGHT, gpus_per_node=8)
    assert found
    return found


def test_volumes_at_one_micro_batch_are_those_of_the_zero_paper() -> None:
    assert [volume(stage, 1) / 2 for stage in range(4)] == [1, 1, 1, 1.5]


def test_computing_is_the_flops_over_the_stated_share_of_the_peak() -> None:
    flops = TRAINING.shape.flops_per_token(4096) * 8 * 4096
    assert estimate(DDP).compute == pytest.approx(flops / (0.45 * 312e12))
    assert estimate(DDP).tokens == 8 * 8 * 4096


def test_full_recomputation_adds_a_third_and_selective_less() -> None:
    none, selective, full = (estimate(replace(DDP, recompute=each)).compute for each in Recompute)
    assert full == pytest.approx(none * 4 / 3)
    assert none < selective < full


def test_float32_computes_at_half_and_sends_twice() -> None:
    mixed, whole = estimate(DDP), estimate(DDP, replace(TRAINING, precision=Precision.FLOAT32))
    assert whole.compute == pytest.approx(2 * mixed.compute)
    assert whole.communication == pytest.approx(2 * mixed.communication)


def test_a_pipeline_idles_less_with_more_micro_batches() -> None:
    pipeline = replace(TENSOR, data_parallel=2, pipeline_parallel=2)
    ratio = estimate(pipeline).compute / estimate(TENSOR).compute
    assert ratio == pytest.approx((1 + 1 / 8) / 2)


def test_machines_with_a_thin_network_communicate_slower() -> None:
    apart = speed(DDP, TRAINING, ONE, gpus_per_node=1)
    assert apart
    assert apart.communication / estimate(DDP).communication == pytest.approx(300 / (24 / 8))


def test_the_data_parallel_groups_of_a_machine_share_its_network() -> None:
    thin = replace(EIGHT, network_gbps=ONE.network_gbps)
    plain, split = (
        speed(each, TRAINING, thin, gpus_per_node=8)
        for each in (Strategy(zero_stage=1, data_parallel=16), replace(TENSOR, data_parallel=8))
    )
    assert plain
    assert split
    assert split.communication > 0.9 * plain.communication  # half the weights, at half the rate


def test_offload_costs_time_and_nvme_more() -> None:
    zero = Strategy(zero_stage=3, data_parallel=8)
    none, cpu, nvme = (estimate(replace(zero, offload=each)) for each in Offload)
    assert 0 == none.offload < cpu.offload < nvme.offload
    assert none.communication == cpu.communication
    assert none.tokens_per_second > cpu.tokens_per_second > nvme.tokens_per_second


def test_what_is_not_known_gives_no_estimate() -> None:
    assert speed(DDP, TRAINING, replace(EIGHT, accelerator_peak_tflops=None), gpus_per_node=8) is None
    assert speed(DDP, TRAINING, replace(EIGHT, accelerator="K80"), gpus_per_node=8) is None
    assert speed(DDP, TRAINING, replace(ONE, network_gbps=None), gpus_per_node=1) is None
    assert speed(DDP, TRAINING, replace(EIGHT, network_gbps=None), gpus_per_node=8)


def test_every_accelerator_of_the_catalog_has_its_links() -> None:
    for name in Catalog.load().accelerators():
        for row in Catalog.load().with_accelerator(name):
            assert speed(replace(DDP, data_parallel=1), TRAINING, row, gpus_per_node=1), name

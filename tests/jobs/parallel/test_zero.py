from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from clusterlab.config import parse
from clusterlab.errors import InputError
from clusterlab.fit.memory import Precision, Recompute, States, model_states
from jobs.collective.group import Group
from jobs.parallel.fsdp import FullySharded
from jobs.parallel.fsdp import Options as FsdpOptions
from jobs.parallel.loop import train
from jobs.parallel.saves import Saves
from jobs.parallel.settings import Device
from jobs.parallel.tokens import Stream
from jobs.parallel.zero import Offload, Options, Zero, bucket_size, num_micro_batches, predicted, why_no_swapping
from jobs.zero import Config

TOLERANCE = 2e-5
"""Of a loss in nats: float32 sums in another order."""


def _options(stage: int, offload: Offload = Offload.NONE, precision: Precision = Precision.FLOAT32) -> Options:
    return Options(stage=stage, offload=offload, precision=precision, recompute=Recompute.NONE)


WAYS = [_options(stage) for stage in (0, 1, 2, 3)] + [_options(stage, Offload.CPU) for stage in (2, 3)]
LINEAR = torch.nn.functional.linear
NAMES = ["0", "1", "2", "3", "2-cpu", "3-cpu"]


def _config(**values: object) -> Config:
    given = {"SCALE": "tiny", "STEPS": "4", "CHECKPOINT_EVERY": "2"}
    return parse(Config, given | {key: str(value) for key, value in values.items()})


def _train(config: Config, options: Options, folder: Path | None = None) -> tuple[dict[int, float], States]:
    """In each rank: the losses by step, and the bytes."""
    engine = Zero(config, options)
    saves = Saves(folder=folder) if folder else None
    steps = train(engine, Stream.of(config), config, saves=saves)
    states = engine.states()
    engine.close()
    return {step.number: step.loss for step in steps}, states


def _train_by_fsdp(config: Config) -> dict[int, float]:
    """In each rank: the same by the reference engine."""
    plain = FsdpOptions(precision=Precision.FLOAT32, recompute=Recompute.NONE, cpu_offload=False, compile=False)
    engine = FullySharded(config, plain)
    steps = train(engine, Stream.of(config), config)
    engine.close()
    return {step.number: step.loss for step in steps}


def _bytes_of_all_tensors(config: Config, options: Options) -> tuple[States, int]:
    """In each rank: the engine's states, and the bytes of all tensors that came to life with it."""
    import gc

    before = _storages()
    engine = Zero(config, options)
    train(engine, Stream.of(config), config)
    gc.collect()
    found = _storages()
    states = engine.states()
    engine.close()
    return states, sum(size for place, size in found.items() if place not in before)


def _storages() -> dict[int, int]:
    """Bytes by address, of all that Python's collector knows."""
    import gc

    import torch

    tensors = (each for each in gc.get_objects() if isinstance(each, torch.Tensor))
    storages = (each.untyped_storage() for each in tensors)
    return {each.data_ptr(): each.nbytes() for each in storages if each.nbytes() > 1024}


@pytest.fixture(scope="module")
def undisturbed(pair: Group) -> dict[int, float]:
    losses: dict[int, float] = pair.call(_train_by_fsdp, _config())[0]
    return losses


@pytest.fixture(scope="module")
def _alone() -> Iterator[None]:
    """A process group of this process only; DeepSpeed takes the first one that it sees for the only one."""
    store = dist.TCPStore("127.0.0.1", 0, 1, is_master=True)
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("options", WAYS, ids=NAMES)
def test_every_stage_has_the_losses_of_fsdp_and_the_bytes_of_the_formula(
    pair: Group, undisturbed: dict[int, float], options: Options
) -> None:
    config = _config()
    wanted = predicted(config.shape.num_parameters, options, 2)
    for losses, states in pair.call(_train, config, options):
        assert losses == pytest.approx(undisturbed, abs=TOLERANCE)
        assert states.total == pytest.approx(wanted.total, rel=0.02)
        assert states.parameters == pytest.approx(wanted.parameters, rel=0.001)
        assert states.gradients == pytest.approx(wanted.gradients, rel=0.05)
        assert states.optimizer == pytest.approx(wanted.optimizer, rel=0.001)


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_mixed_precision_holds_what_the_paper_says(pair: Group, undisturbed: dict[int, float], stage: int) -> None:
    config = _config()
    paper = model_states(config.shape.num_parameters, zero_stage=stage, world_size=2, precision=Precision.MIXED)
    options = _options(stage, precision=Precision.MIXED)
    assert predicted(config.shape.num_parameters, options, 2) == paper
    for losses, states in pair.call(_train, config, options):
        assert losses == pytest.approx(undisturbed, abs=0.02)
        assert states.total == pytest.approx(paper.total, rel=0.02)


@pytest.mark.parametrize("options", [WAYS[0], WAYS[2], WAYS[3]], ids=["0", "2", "3"])
def test_no_tensor_of_the_engine_is_left_out(pair: Group, options: Options) -> None:
    config = _config(STEPS=1)
    for states, found in pair.call(_bytes_of_all_tensors, config, options):
        # Between steps only stage 3 keeps gradients allocated, and the buffer of its messages.
        kept = states.gradients + 4 * bucket_size(config) if options.stage == 3 else 0
        assert found == pytest.approx(states.parameters + states.optimizer + kept, rel=0.02)


@pytest.mark.parametrize("options", [WAYS[0], WAYS[2], WAYS[3], WAYS[5]], ids=["0", "2", "3", "3-cpu"])
def test_it_goes_on_from_a_checkpoint_to_the_bit(pair: Group, tmp_path: Path, options: Options) -> None:
    [(losses, _), _] = pair.call(_train, _config(), options, tmp_path)
    for path in (tmp_path / "step-000004").rglob("*.pt"):
        path.write_bytes(b"torn")
    [(again, _), _] = pair.call(_train, _config(), options, tmp_path)
    assert again == {step: losses[step] for step in (3, 4)}


@pytest.mark.usefixtures("_alone")
@pytest.mark.parametrize("stage", [1, 2, 3])
def test_a_checkpoint_is_read_by_fewer_ranks(
    pair: Group, tmp_path: Path, undisturbed: dict[int, float], stage: int
) -> None:
    pair.call(_train, _config(STEPS=2), _options(stage), tmp_path)
    alone, _ = _train(_config(), _options(stage), tmp_path)
    assert alone == pytest.approx({step: undisturbed[step] for step in (3, 4)}, abs=TOLERANCE)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    # DeepSpeed's own linear, which no other tensor subclass can go through, is gone with the engine.
    assert torch.nn.functional.linear is LINEAR


def _swapping_without_a_compiler_at_rank_1() -> str | None:
    import os
    from unittest import mock

    with mock.patch.dict(os.environ, {"CXX": "no-such-compiler"} if dist.get_rank() == 1 else {}):
        return why_no_swapping(Device.CPU)


def test_a_disk_is_not_swapped_to_where_one_rank_cannot(pair: Group) -> None:
    for reason in pair.call(_swapping_without_a_compiler_at_rank_1):
        assert reason == "no libaio, compiler or ninja; apt-get install libaio-dev g++ ninja-build"


def test_one_micro_batch_has_no_gradients_to_measure() -> None:
    with pytest.raises(InputError, match="GLOBAL_BATCH_SIZE=8: must be at least 16, two micro-batches for each of 2"):
        num_micro_batches(_config(MICRO_BATCH_SIZE=4), 2)

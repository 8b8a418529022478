from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from clusterlab.config import parse
from clusterlab.errors import InputError, StorageError
from clusterlab.fit.memory import Precision, Recompute, States, model_states
from jobs.collective.group import Group
from jobs.fsdp import Config
from jobs.parallel.fsdp import FullySharded, Options
from jobs.parallel.loop import Step, train
from jobs.parallel.saves import Saves
from jobs.parallel.tokens import Stream
from tests.jobs.parallel.reference import TOLERANCE, losses_of_one_process

PLAIN = Options(precision=Precision.FLOAT32, recompute=Recompute.NONE, cpu_offload=False, compile=False)


def _config(**values: object) -> Config:
    return parse(Config, {"SCALE": "tiny", "STEPS": "6"} | {key: str(value) for key, value in values.items()})


def _train(config: Config, options: Options, folder: Path | None = None) -> tuple[dict[int, float], States]:
    """In each rank: the losses by step, and the bytes."""
    engine = FullySharded(config, options)
    saves = Saves(folder=folder) if folder else None
    steps = train(engine, Stream.of(config), config, saves=saves)
    states = engine.states()
    engine.close()
    return {step.number: step.loss for step in steps}, states


@pytest.fixture(scope="module")
def undisturbed() -> dict[int, float]:
    return losses_of_one_process(_config())


def test_the_losses_are_those_of_one_process(pair: Group, undisturbed: dict[int, float]) -> None:
    (losses, _), (of_rank_1, _) = pair.call(_train, _config(), PLAIN)
    assert losses == pytest.approx(undisturbed, abs=TOLERANCE)
    assert losses == of_rank_1
    assert losses[6] < losses[1] - 0.05


def test_micro_batches_add_up_to_the_same_step(pair: Group, undisturbed: dict[int, float]) -> None:
    [(losses, _), _] = pair.call(_train, _config(MICRO_BATCH_SIZE=1), PLAIN)
    assert losses == pytest.approx(undisturbed, abs=TOLERANCE)


@pytest.mark.parametrize(
    ("change", "tolerance"),
    [
        ({"recompute": Recompute.FULL}, TOLERANCE),
        ({"recompute": Recompute.SELECTIVE}, TOLERANCE),
        ({"cpu_offload": True}, TOLERANCE),
        ({"precision": Precision.MIXED}, 0.02),
    ],
    ids=["full", "selective", "offload", "mixed"],
)
def test_where_and_when_numbers_are_kept_changes_no_loss(
    pair: Group, undisturbed: dict[int, float], change: dict[str, Any], tolerance: float
) -> None:
    options = {name: getattr(PLAIN, name) for name in ("precision", "recompute", "cpu_offload", "compile")}
    [(losses, _), _] = pair.call(_train, _config(), Options(**options | change))
    assert losses == pytest.approx(undisturbed, abs=tolerance)


def test_each_rank_holds_its_share(pair: Group) -> None:
    config = _config(STEPS=1)
    wanted = model_states(config.shape.num_parameters, zero_stage=3, world_size=2, precision=Precision.FLOAT32)
    for _, states in pair.call(_train, config, PLAIN):
        assert states.parameters == pytest.approx(wanted.parameters, rel=0.02)
        assert states.gradients == pytest.approx(wanted.gradients, rel=0.02)
        assert states.optimizer == pytest.approx(wanted.optimizer, rel=0.02)


def test_it_goes_on_from_a_checkpoint_to_the_bit(pair: Group, tmp_path: Path) -> None:
    config = _config(CHECKPOINT_EVERY=3)
    [(losses, _), _] = pair.call(_train, config, PLAIN, tmp_path)
    for path in (tmp_path / "step-000006").iterdir():
        path.write_bytes(b"torn")
    [(again, _), _] = pair.call(_train, config, PLAIN, tmp_path)
    assert again == {step: losses[step] for step in (4, 5, 6)}


@pytest.mark.usefixtures("_alone")
def test_a_checkpoint_is_read_by_another_number_of_ranks(
    pair: Group, tmp_path: Path, undisturbed: dict[int, float]
) -> None:
    pair.call(_train, _config(STEPS=3, CHECKPOINT_EVERY=3), PLAIN, tmp_path)
    alone, _ = _train(_config(CHECKPOINT_EVERY=3), PLAIN, tmp_path)
    assert alone == pytest.approx({step: undisturbed[step] for step in (4, 5, 6)}, abs=TOLERANCE)


@pytest.mark.usefixtures("_alone")
def test_a_checkpoint_of_one_rank_is_read_by_two(pair: Group, tmp_path: Path, undisturbed: dict[int, float]) -> None:
    _train(_config(STEPS=3, CHECKPOINT_EVERY=3), PLAIN, tmp_path)
    [(losses, _), _] = pair.call(_train, _config(), PLAIN, tmp_path)
    assert losses == pytest.approx({step: undisturbed[step] for step in (4, 5, 6)}, abs=TOLERANCE)


def _train_until_no_room(config: Config, folder: Path) -> str:
    """In each rank: train, and let the system refuse to write more bytes when the first checkpoint is there."""
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    engine, saves = FullySharded(config, PLAIN), Saves(folder=folder)

    def shrink(step: Step) -> None:
        if step.number == 4:
            # It is written beside the steps, and on a busy machine not yet when the next of them is done.
            while saves.in_flight and not saves.is_written():
                time.sleep(0.01)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))

    try:
        train(engine, Stream.of(config), config, saves=saves, on_step=shrink)
    except StorageError as error:
        return str(error)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        engine.close()
    return ""


def test_no_room_for_a_checkpoint_is_one_error_and_spares_the_one_before(pair: Group, tmp_path: Path) -> None:
    config = _config(CHECKPOINT_EVERY=3)
    for error in pair.call(_train_until_no_room, config, tmp_path):
        assert "step-000006: cannot be written: " in error
        assert "File too large" in error
    [(losses, _), _] = pair.call(_train, config, PLAIN, tmp_path)
    assert list(losses) == [4, 5, 6]


def test_compilation_is_refused_on_a_cpu() -> None:
    with pytest.raises(InputError, match="COMPILE=true: allowed: with DEVICE=cuda"):
        _config(COMPILE="true")

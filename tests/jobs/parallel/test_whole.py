from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.config import parse
from clusterlab.fit.memory import Precision, Recompute, States, model_states
from jobs.collective.group import Group
from jobs.parallel.loop import train
from jobs.parallel.memory import measure_step
from jobs.parallel.saves import Saves
from jobs.parallel.settings import Training
from jobs.parallel.tokens import Stream
from jobs.parallel.whole import Whole
from tests.jobs.parallel.reference import TOLERANCE, losses_of_one_process


def _config(**values: object) -> Training:
    return parse(Training, {"SCALE": "tiny", "STEPS": "5"} | {key: str(value) for key, value in values.items()})


def _train(config: Training, precision: Precision, folder: Path | None = None) -> tuple[dict[int, float], States]:
    engine = Whole(config, precision=precision)
    steps = train(engine, Stream.of(config), config, saves=Saves(folder=folder) if folder else None)
    states = engine.states()
    engine.close()
    return {step.number: step.loss for step in steps}, states


@pytest.fixture(scope="module")
def undisturbed() -> dict[int, float]:
    return losses_of_one_process(_config())


@pytest.mark.parametrize("micro_batch_size", [1, 4])
def test_two_replicas_train_as_one_process_does(
    pair: Group, undisturbed: dict[int, float], micro_batch_size: int
) -> None:
    config = _config(MICRO_BATCH_SIZE=micro_batch_size)
    (losses, states), (of_rank_1, _) = pair.call(_train, config, Precision.FLOAT32)
    assert losses == pytest.approx(undisturbed, abs=TOLERANCE)
    assert losses == of_rank_1
    whole = model_states(config.shape.num_parameters, zero_stage=0, world_size=2, precision=Precision.FLOAT32)
    assert states == whole


def test_bfloat16_stays_close(pair: Group, undisturbed: dict[int, float]) -> None:
    [(losses, _), _] = pair.call(_train, _config(), Precision.MIXED)
    assert losses == pytest.approx(undisturbed, abs=0.02)
    assert losses != pytest.approx(undisturbed, abs=TOLERANCE)


@pytest.mark.usefixtures("_alone")
def test_a_checkpoint_of_two_is_read_by_one(pair: Group, tmp_path: Path, undisturbed: dict[int, float]) -> None:
    pair.call(_train, _config(STEPS=3, CHECKPOINT_EVERY=3), Precision.FLOAT32, tmp_path)
    losses, _ = _train(_config(), Precision.FLOAT32, tmp_path)
    assert losses == pytest.approx({step: undisturbed[step] for step in (4, 5)}, abs=TOLERANCE)


@pytest.mark.usefixtures("_alone")
def test_what_is_computed_again_is_not_kept() -> None:
    config = _config(SEQ_LENGTH=128, MICRO_BATCH_SIZE=8)
    tokens = Stream.of(config).rows(0, 8)
    memory = {}
    for recompute in Recompute:
        engine = Whole(config, recompute=recompute, attention="eager")
        engine.train_step([tokens])
        memory[recompute] = measure_step(engine, tokens)
    # Beyond weights and gradients, the matrix of attention and then all but the inputs of the layers go.
    softmax = 4 * 8 * 128 * 128 * 4
    none, selective, full = (memory[recompute].kept for recompute in Recompute)
    assert none - selective >= 4 * softmax
    inputs = 4 * 8 * 128 * 128 * 4
    assert inputs < full < 0.2 * none
    peaks = [memory[recompute].peak for recompute in Recompute]
    assert peaks == sorted(peaks, reverse=True)

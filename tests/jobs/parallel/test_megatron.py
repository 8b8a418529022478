from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from clusterlab.config import parse
from clusterlab.errors import InputError
from clusterlab.fit.memory import Precision, Recompute
from jobs.collective.group import Group
from jobs.megatron import Config
from jobs.parallel.layout import Layout
from jobs.parallel.loop import train
from jobs.parallel.megatron import Megatron, context_part
from jobs.parallel.megatron_cpu import on_device
from jobs.parallel.megatron_model import Options
from jobs.parallel.megatron_weights import first_layer, part
from jobs.parallel.model import llama, next_token_loss
from jobs.parallel.saves import Saves
from jobs.parallel.settings import Device
from jobs.parallel.tokens import Stream, micro_batches
from tests.jobs.parallel.reference import TOLERANCE, losses_of_one_process

ONE = {"TENSOR_PARALLEL": 1, "MIN_WORKERS": 1}
TENSOR: dict[str, object] = {}
SEQUENCE = {"SEQUENCE_PARALLEL": "true"}
PIPELINE = {"TENSOR_PARALLEL": 1, "PIPELINE_PARALLEL": 2}
DATA = {"TENSOR_PARALLEL": 1}


def _config(**values: object) -> Config:
    return parse(Config, {"SCALE": "tiny", "STEPS": "6"} | {key: str(value) for key, value in values.items()})


def _options(config: Config, **changes: Any) -> Options:
    options = Options(
        layout=config.layout,
        precision=config.precision,
        recompute=config.recompute,
        distributed_optimizer=config.distributed_optimizer,
    )
    return dataclasses.replace(options, **changes)


def _train(config: Config, folder: Path | None = None) -> tuple[dict[int, float], int]:
    """In each rank: the losses by step, and the number of weights."""
    engine = Megatron(config, _options(config))
    steps = train(engine, Stream.of(config), config, saves=Saves(folder=folder) if folder else None)
    engine.close()
    return {step.number: step.loss for step in steps}, engine.num_parameters


@pytest.fixture(scope="module")
def alone() -> dict[int, float]:
    """The losses of one process, without ranks."""
    return losses_of_one_process(_config())


@pytest.fixture
def _one_rank(_alone: None) -> Iterator[None]:
    """A process group of this process only, without what a test that failed has left of megatron-core's."""
    yield
    from megatron.core import parallel_state

    parallel_state.destroy_model_parallel()


def _worst_errors(config: Config) -> tuple[float, float, float]:
    """In each rank, after a step: how far this rank's loss, gradients and weights are from transformers'."""
    [tokens] = micro_batches(Stream.of(config), dataclasses.replace(config, micro_batch_size=8), 1, rank=0, size=1)
    theirs = llama(config.shape, config.seq_length, seed=config.seed)
    optimizer = torch.optim.AdamW(theirs.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    their_loss = next_token_loss(theirs(tokens[:, :-1]).logits, tokens)
    their_loss.backward()
    gradients = {name: weight.grad.clone() for name, weight in theirs.named_parameters()}
    optimizer.step()

    engine = Megatron(config, _options(config))
    loss = engine.train_step([tokens])
    errors = [0.0, 0.0, 0.0] if loss is None else [abs(float(loss) - their_loss.item()), 0.0, 0.0]
    first, rank = first_layer(engine.model), config.layout.place(dist.get_rank(), dist.get_world_size()).tensor
    for name, weight in engine.model.named_parameters():
        for place, ours, whole in ((1, weight.main_grad, gradients), (2, weight.data, theirs.state_dict())):
            expected = part(whole, name, config.shape, first_layer=first, rank=rank, size=config.tensor_parallel)
            scale = float(expected.abs().max())
            errors[place] = max(errors[place], float((ours - expected).abs().max()) / scale)
    engine.close()
    return errors[0], errors[1], errors[2]


@pytest.mark.usefixtures("_one_rank")
def test_one_rank_has_the_loss_gradients_and_weights_of_transformers() -> None:
    loss, gradients, weights = _worst_errors(_config(**ONE, WEIGHT_DECAY=10))
    assert loss < TOLERANCE
    assert gradients < 1e-4
    assert weights < 1e-3


@pytest.mark.parametrize("layout", [TENSOR, SEQUENCE, PIPELINE], ids=["tensor", "sequence", "pipeline"])
def test_every_rank_has_its_part_of_the_gradients_and_weights(pair: Group, layout: dict[str, object]) -> None:
    for loss, gradients, weights in pair.call(_worst_errors, _config(**layout, WEIGHT_DECAY=10)):
        assert loss < TOLERANCE
        assert gradients < 1e-4
        assert weights < 1e-3


@pytest.mark.parametrize("layout", [TENSOR, SEQUENCE, PIPELINE, DATA], ids=["tensor", "sequence", "pipeline", "data"])
def test_the_losses_are_those_of_one_process(pair: Group, alone: dict[int, float], layout: dict[str, object]) -> None:
    config = _config(**layout)
    (losses, held), (of_rank_1, of_rank_1_held) = pair.call(_train, config)
    assert losses == pytest.approx(alone, abs=TOLERANCE)
    assert losses == of_rank_1
    places = [config.layout.place(rank, 2) for rank in range(2)]
    assert [held, of_rank_1_held] == [config.layout.num_parameters(config.shape, each.pipeline) for each in places]


@pytest.mark.parametrize("layout", [TENSOR, PIPELINE], ids=["tensor", "pipeline"])
def test_it_goes_on_from_a_checkpoint_to_the_bit(pair: Group, tmp_path: Path, layout: dict[str, object]) -> None:
    config = _config(CHECKPOINT_EVERY=3, **layout)
    [(losses, _), _] = pair.call(_train, config, tmp_path)
    (tmp_path / "step-000006" / "metadata.json").write_text("torn")
    [(again, _), _] = pair.call(_train, config, tmp_path)
    assert again == {step: losses[step] for step in (4, 5, 6)}


@pytest.mark.usefixtures("_one_rank")
def test_a_checkpoint_is_read_by_another_layout(pair: Group, tmp_path: Path, alone: dict[int, float]) -> None:
    pair.call(_train, _config(STEPS=3, CHECKPOINT_EVERY=3), tmp_path)
    rest = {step: alone[step] for step in (4, 5, 6)}
    losses, _ = _train(_config(CHECKPOINT_EVERY=6, **ONE), tmp_path)
    assert losses == pytest.approx(rest, abs=TOLERANCE)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"RECOMPUTE": "full"}, "RECOMPUTE=full: megatron-core cannot do it on a CPU: it saves and restores a CUDA"),
        ({"RECOMPUTE": "selective"}, "RECOMPUTE=selective: megatron-core cannot do it on a CPU"),
        ({"PRECISION": "mixed"}, "PRECISION=mixed: megatron-core cannot do it on a CPU: its optimizer of 16-bit"),
        ({"DISTRIBUTED_OPTIMIZER": "true"}, "DISTRIBUTED_OPTIMIZER=true: megatron-core cannot do it on a CPU: that"),
        (
            {"CONTEXT_PARALLEL": "2", "TENSOR_PARALLEL": "1"},
            "CONTEXT_PARALLEL=2: megatron-core cannot do it on a CPU: its own attention takes whole rows",
        ),
    ],
)
def test_what_needs_cuda_is_refused_on_a_cpu(values: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as error:
        _config(**values)
    assert message in str(error.value)
    assert "or DEVICE=cuda" in str(error.value)
    _config(**values, DEVICE="cuda")


@pytest.mark.usefixtures("_one_rank")
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"recompute": Recompute.FULL}, (AssertionError, RuntimeError)),
        ({"recompute": Recompute.SELECTIVE}, (AssertionError, RuntimeError)),
        ({"precision": Precision.MIXED}, TypeError),
        ({"distributed_optimizer": True}, TypeError),
    ],
    ids=["full", "selective", "mixed", "distributed"],
)
def test_what_is_refused_on_a_cpu_megatron_core_cannot_do(changes: dict[str, Any], error: type[Exception]) -> None:
    config = _config(**ONE)
    with pytest.raises(error):
        Megatron(config, _options(config, **changes)).train_step([Stream.of(config).rows(0, 4)])


def _complaint(config: Config, options: Options) -> str:
    """In each rank: why the engine does not start."""
    from megatron.core import parallel_state

    with pytest.raises(InputError) as error:
        Megatron(config, options)
    parallel_state.destroy_model_parallel()
    return str(error.value)


def test_context_parallelism_without_transformer_engine_is_refused(pair: Group) -> None:
    config = _config(**DATA)
    options = _options(config, layout=dataclasses.replace(config.layout, context_parallel=2))
    for complaint in pair.call(_complaint, config, options):
        assert "CONTEXT_PARALLEL=2: needs Transformer Engine's attention; pip install transformer-engine" in complaint


def test_a_world_that_cannot_be_laid_out_is_refused(pair: Group) -> None:
    config = _config(**DATA)
    options = _options(config, layout=dataclasses.replace(config.layout, pipeline_parallel=3))
    for complaint in pair.call(_complaint, config, options):
        assert "world size 2 = data_parallel ? x tensor_parallel 1 x pipeline_parallel 3 x context" in complaint


def test_a_rank_lies_where_megatron_core_puts_it() -> None:
    with on_device(Device.CPU):
        from megatron.core.parallel_state import RankGenerator

    layout = Layout(tensor_parallel=2, pipeline_parallel=2, context_parallel=2, sequence_parallel=True)
    theirs = RankGenerator(tp=2, ep=1, dp=2, pp=2, cp=2, order="tp-cp-ep-dp-pp")
    names = {"tp": "tensor", "cp": "context", "dp": "data", "pp": "pipeline"}
    for short, name in names.items():
        for group in theirs.get_ranks(short):
            assert [getattr(layout.place(rank, 16), name) for rank in group] == [0, 1]


def test_context_parallel_ranks_share_a_row_so_that_each_attends_to_as_much() -> None:
    row = torch.arange(8)[None]
    assert [context_part(row, rank, 2).tolist() for rank in (0, 1)] == [[[0, 1, 6, 7]], [[2, 3, 4, 5]]]
    assert context_part(row, 0, 1).tolist() == row.tolist()


def test_a_cpu_answers_for_cuda_only_while_it_is_asked_to() -> None:
    before = torch.cuda.current_device, torch.cuda.synchronize
    with on_device(Device.CPU):
        assert torch.zeros(1, device="cuda").device.type == torch.zeros(1, device="cuda:0").device.type == "cpu"
        assert torch.zeros(1).cuda().device == torch.cuda.current_device() == torch.device("cpu")
    assert before == (torch.cuda.current_device, torch.cuda.synchronize)
    with on_device(Device.CUDA):
        assert before == (torch.cuda.current_device, torch.cuda.synchronize)

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from clusterlab.config import parse
from clusterlab.fit.memory import Precision, States, model_states
from jobs.collective.group import Group
from jobs.parallel.experts import ExpertParallel, Options
from jobs.parallel.loop import train
from jobs.parallel.mixtral import Mixture, losses, mixtral
from jobs.parallel.one_process import losses_of_one_process
from jobs.parallel.saves import Saves
from jobs.parallel.settings import Training
from jobs.parallel.tokens import Stream, micro_batches
from tests.jobs.parallel.reference import TOLERANCE

BALANCE = 0.5
"""More than one would train with, so that its gradients are seen in the losses."""


def _config(**values: object) -> Training:
    given = {"SCALE": "tiny", "MODEL": "micro", "STEPS": "5", "MICRO_BATCH_SIZE": "2", "LEARNING_RATE": "0.01"}
    return parse(Training, given | {key: str(value) for key, value in values.items()})


def _mixture(config: Training) -> Mixture:
    return Mixture(dense=config.shape, num_experts=4, top_k=2)


def _engine(config: Training, precision: Precision = Precision.FLOAT32) -> ExpertParallel:
    return ExpertParallel(config, Options(mixture=_mixture(config), balance=BALANCE, precision=precision))


def _train(config: Training, folder: Path | None = None) -> tuple[dict[int, float], States]:
    engine = _engine(config)
    steps = train(engine, Stream.of(config), config, saves=Saves(folder=folder) if folder else None)
    states = engine.states()
    engine.close()
    return {step.number: step.loss for step in steps}, states


def _loss_of(model: Any, tokens: Any) -> tuple[Any, Any]:
    loss, balance = losses(model, tokens, top_k=2)
    return loss, BALANCE * balance


@pytest.fixture(scope="module")
def alone() -> dict[int, float]:
    """The losses of transformers' own Mixtral with all experts in one process."""
    config = _config()
    model = mixtral(_mixture(config), config.seq_length, seed=config.seed)
    return losses_of_one_process(config, Stream.of(config), config.steps, lambda _: model, _loss_of)


def test_two_ranks_with_half_of_the_experts_each_train_as_one_process_does(
    pair: Group, alone: dict[int, float]
) -> None:
    config = _config()
    (found, states), (of_rank_1, _) = pair.call(_train, config)
    assert found == pytest.approx(alone, abs=TOLERANCE)
    assert found == of_rank_1
    mixture = _mixture(config)
    own = mixture.total_parameters - mixture.expert_parameters // 2
    assert states == model_states(own, zero_stage=0, world_size=2, precision=Precision.FLOAT32)


def _gradients(config: Training) -> dict[str, list[float]]:
    """In each rank: the gradients of a step, of all experts, that the optimizer would take."""
    engine = _engine(config)
    engine.optimizer.step = engine.optimizer.zero_grad = _nothing
    engine.train_step(micro_batches(Stream.of(config), config, 1, rank=engine.data_rank, size=engine.data_size))
    found = {name: _sizes(weight.grad) for name, weight in engine.model.named_parameters()}
    engine.close()
    return found


def _nothing() -> None:
    pass


def _sizes(gradient: Any) -> list[float]:
    """By row or expert, how large it is."""
    whole = gradient.full_tensor() if hasattr(gradient, "full_tensor") else gradient
    return list(whole.reshape(len(whole), -1).norm(dim=1).tolist())


def test_gradients_are_those_of_one_process_which_adamw_does_not_tell_from_their_double(pair: Group) -> None:
    config = _config()
    model = mixtral(_mixture(config), config.seq_length, seed=config.seed)
    rows = micro_batches(Stream.of(config), config, 1, rank=0, size=1)
    for tokens in rows:
        (sum(_loss_of(model, tokens)) / len(rows)).backward()
    found, _ = pair.call(_gradients, config)
    assert found.keys() == dict(model.named_parameters()).keys()
    for name, weight in model.named_parameters():
        assert found[name] == pytest.approx(_sizes(weight.grad), rel=1e-3, abs=1e-6), name


@pytest.mark.usefixtures("_alone")
def test_a_checkpoint_of_two_is_read_by_one(pair: Group, tmp_path: Path, alone: dict[int, float]) -> None:
    pair.call(_train, _config(STEPS=3, CHECKPOINT_EVERY=3), tmp_path)
    found, _ = _train(_config(), tmp_path)
    assert found == pytest.approx({step: alone[step] for step in (4, 5)}, abs=TOLERANCE)


def _with_one_rank_only(config: Training) -> tuple[int, int]:
    """In each rank: every router sends all tokens to experts 0 and 1, which are at rank 0."""
    engine = _engine(config)
    for layer in engine.model.model.layers:
        layer.mlp.gate.forward = partial(_to_the_first, layer.mlp.gate.weight)
    rows = micro_batches(Stream.of(config), config, 1, rank=engine.data_rank, size=engine.data_size)
    traffic = engine.traffic_of_step(rows)
    engine.close()
    return traffic.rows, traffic.sent_bytes


def _to_the_first(weight: Any, hidden: Any) -> tuple[Any, Any, Any]:
    logits = hidden.flatten(0, -2) @ weight.T + torch.tensor([90.0, 80.0, 0.0, 0.0])
    return logits, logits.softmax(-1)[:, :2], torch.tensor([0, 1]).repeat(len(logits), 1)


def test_no_token_is_dropped_where_all_go_to_one_rank(pair: Group) -> None:
    config = _config()
    (rows, sent_bytes), _ = pair.call(_with_one_rank_only, config)
    num_tokens, mixture = config.global_batch_size * config.seq_length, _mixture(config)
    assert rows == num_tokens * mixture.top_k * mixture.dense.num_layers
    assert sent_bytes == mixture.exchanged_bytes(num_tokens, world_size=2, value_bytes=4)


def _traffic(config: Training, precision: Precision) -> tuple[float, int, int]:
    engine = _engine(config, precision)
    rows = micro_batches(Stream.of(config), config, 1, rank=engine.data_rank, size=engine.data_size)
    loss = engine.loss(torch.cat(rows)).item()
    traffic = engine.traffic_of_step(rows)
    engine.close()
    return loss, traffic.rows, traffic.sent_bytes


def test_tokens_in_bfloat16_are_half_the_bytes_and_nearly_the_same_loss(pair: Group) -> None:
    config = _config()
    loss, rows, sent = pair.call(_traffic, config, Precision.FLOAT32)[0]
    mixed_loss, mixed_rows, mixed_sent = pair.call(_traffic, config, Precision.MIXED)[0]
    num_tokens, mixture = config.global_batch_size * config.seq_length, _mixture(config)
    assert rows == mixed_rows == num_tokens * mixture.top_k * mixture.dense.num_layers
    assert sent == pytest.approx(mixture.exchanged_bytes(num_tokens, world_size=2, value_bytes=4), rel=0.3)
    assert mixed_sent == pytest.approx(sent / 2, rel=0.05)
    assert mixed_loss == pytest.approx(loss, abs=0.02)


def _exported(config: Training, folder: Path) -> tuple[float, Any]:
    engine = _engine(config)
    train(engine, Stream.of(config), config)
    tokens = Stream.of(config).rows(0, 4)
    engine.export(folder)
    found = engine.loss(tokens).item(), engine.experts_of(tokens).tolist()
    engine.close()
    return found


def test_transformers_reads_what_is_exported(pair: Group, tmp_path: Path) -> None:
    config = _config(STEPS=1)
    (loss, experts), _ = pair.call(_exported, config, tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    tokens = Stream.of(config).rows(0, 4)
    assert losses(model, tokens, top_k=2)[0].item() == pytest.approx(loss, abs=TOLERANCE)
    chosen = model(tokens[:, :-1], output_router_logits=True).router_logits
    assert [layer.topk(2).indices.tolist() for layer in chosen] == experts

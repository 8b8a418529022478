"""A mixture of experts, trained with expert parallelism and served (Jiang et al., 2024, arXiv:2401.04088).

python -m jobs.submit moe
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlab.config import Source, by_scale, range_problems
from clusterlab.errors import InputError, MissingError, Problem
from clusterlab.fit.footprint import Footprint
from clusterlab.fit.memory import Precision, model_states
from clusterlab.fit.strategies import Strategy
from clusterlab.run import METRICS
from jobs.launch.environments import python_of
from jobs.launch.finished import Finished
from jobs.launch.folder import run_folder
from jobs.launch.workers import Place, run_worker
from jobs.llm.hub import WIKITEXT
from jobs.mixture.text import Text, kinds_of
from jobs.parallel.mixtral import MIXTRAL_8X7B, Mixture
from jobs.parallel.settings import MADE, TOKENIZER, Training
from jobs.parallel.workers import Notice, train_on_workers

if TYPE_CHECKING:
    from jobs.parallel.experts import ExpertParallel

BALANCED, UNBALANCED, DENSE = "balanced", "unbalanced", "dense"
"""The three trainings: with the balance loss, without it, and the dense model."""
PARTS = "parts"
"""The folder with what each complete part found."""
NUM_ASKED = 8
"""Held-out rows of which the first half is the prompt of an answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Config(Training):
    """One text, and three models of it with as many active parameters."""

    model: str = by_scale(tiny="micro", small="micro", single="smollm2-135m", full="tinyllama-1.1b")
    """The dense model's shape, by the names of `clusterlab fit`; an expert is narrower, so that TOP_K are as wide."""
    num_experts: int = 8
    """In each layer; a multiple of the workers, who have as many each."""
    top_k: int = 2
    """Experts of a token."""
    balance: float = 0.01
    """How much the balance loss counts, as in Switch Transformer; it is trained again with 0."""
    data: Source = by_scale(tiny=MADE, small=MADE, single=WIKITEXT, full=WIKITEXT)
    """A text: a hub id with revision, a folder with `*.txt` or `*.parquet`, or `made` (dialects, from the seed)."""
    tokenizer: Source = by_scale(tiny=MADE, small=MADE, single=TOKENIZER, full=TOKENIZER)
    """Of a text that is not made: a hub id with revision, or a folder."""
    global_batch_size: int = by_scale(tiny=32, small=32, single=16, full=64)
    """Rows a step, of all ranks together."""
    micro_batch_size: int = by_scale(tiny=16, small=16, single=2, full=1)
    """Rows that a rank computes at once, over which the balance loss is taken."""
    steps: int = by_scale(tiny=400, small=400, single=300, full=300)
    """Optimizer steps, of each of the three."""
    learning_rate: float = by_scale(tiny=3e-3, small=3e-3, single=3e-4, full=3e-4)
    """Of AdamW, constant."""
    checkpoint_every: int = by_scale(tiny=100, small=100, single=100, full=100)
    """Steps between checkpoints."""
    num_held_out: int = by_scale(tiny=128, small=128, single=64, full=64)
    """Rows at the end of the text that nothing is trained on."""
    precision: Precision = by_scale(
        tiny=Precision.FLOAT32, small=Precision.FLOAT32, single=Precision.MIXED, full=Precision.MIXED
    )
    """`mixed` computes in bfloat16 on float32 weights, and sends tokens in bfloat16."""
    compare: bool = by_scale(tiny=True, small=True, single=False, full=False)
    """Train the first steps again in one process that has all experts, and compare the losses."""
    serve: bool = True
    """Serve the mixture by vLLM, whose environment `make env-vllm` makes, and compare its answers."""
    ready_seconds: int = by_scale(tiny=600, small=600, single=900, full=1800)
    """How long vLLM may take until it can be asked."""

    @property
    def mixture(self) -> Mixture:
        """The sizes of the mixture."""
        return Mixture(dense=self.shape, num_experts=self.num_experts, top_k=self.top_k)

    def problems(self) -> list[str]:
        """What is wrong with the values."""
        wrong = Training.problems(self)
        wrong += range_problems(self, least={"num_experts": 2, "top_k": 1}, most={"top_k": self.num_experts})
        if not wrong and self.shape.intermediate_size % self.top_k:
            wrong.append(f"TOP_K={self.top_k}: must divide the {self.shape.intermediate_size} columns of {self.model}")
        if (self.data == MADE) != (self.tokenizer == MADE):
            wrong.append(f"DATA={self.data}, TOKENIZER={self.tokenizer}: allowed: both `made`, or neither")
        return wrong

    def footprint(self, num_gpus: int) -> Footprint:
        """What `clusterlab check` holds against the memory of the lab's accelerators: the mixture's, which is more."""
        training = self.planned(self.precision)
        dense = Strategy(zero_stage=0, data_parallel=num_gpus).footprint(training)
        experts = self.mixture.expert_parameters
        own = self.mixture.total_parameters - experts + experts // num_gpus
        states = model_states(own, zero_stage=0, world_size=num_gpus, precision=self.precision)
        return dataclasses.replace(
            dense,
            weights=states.parameters,
            gradients=states.gradients,
            optimizer=states.optimizer,
            buffers=self.precision.value_bytes * experts // num_gpus,
            host=4 * self.mixture.total_parameters,
        )

    def check_world(self, world_size: int) -> None:
        """Refuse a number of workers.

        Raises:
            InputError: they cannot share the experts, or the batch, evenly.
        """
        from jobs.parallel.loop import check_batch

        if self.num_experts % world_size:
            message = f"must be a multiple of the {world_size} workers, who have as many each"
            raise InputError(Problem(path=f"NUM_EXPERTS={self.num_experts}", message=message))
        check_batch(self, world_size)


def main(config: Config) -> dict[str, float]:
    """Train three times and serve one, and return the metrics that go into the run record.

    They end in the training. Losses are in nats a token; `held_out_loss_*` is of rows that nothing was trained on, and
    `gain` how much less it is of the mixture than of the dense model. `load_*` are of `jobs.mixture.routing`, and
    `load_evened` is how many times as much loads vary without the balance loss. `exchanged_mib` is what all workers
    sent to others in a step, and `exchanged_to_formula` what of it even loads would make. `experts_per_token` is how
    many computed each token: less than TOP_K if any was dropped. `token_agreement` and `logprob_error` compare vLLM's
    answers with transformers'.

    Raises:
        MissingError: vLLM's environment is not there.
        InputError: the workers cannot share experts or rows evenly, or the text is wrong.
    """
    if config.serve:
        _vllm()
    metrics, world_size = train_on_workers(_train, config, fewer=True, check=config.check_world)
    parts = Finished(folder=run_folder() / PARTS)
    if config.serve:
        worker = partial(run_worker, _serve, config, max_failures=config.max_failures, place=Place(here=True))
        metrics |= parts.once("served", worker)
    _draw(config, parts, world_size)
    gain = metrics[f"held_out_loss_{DENSE}"] - metrics[f"held_out_loss_{BALANCED}"]
    return metrics | {
        "world_size": world_size,
        "gain": gain,
        "load_evened": metrics[f"load_variation_{UNBALANCED}"] / metrics[f"load_variation_{BALANCED}"],
        "mixtral_8x7b_total_billions": MIXTRAL_8X7B.total_parameters / 1e9,
        "mixtral_8x7b_active_billions": MIXTRAL_8X7B.active_parameters / 1e9,
    }


def _vllm() -> None:
    try:
        python_of("vllm")
    except MissingError as error:
        raise MissingError(f"SERVE=true: {error}; SERVE=false does without") from error


def _train(config: Config, notice: Notice) -> dict[str, float]:
    """In each worker: every training that no attempt has completed yet."""
    import torch.distributed as dist

    from jobs.llm.process import quiet
    from jobs.parallel.cases import once
    from jobs.parallel.one_process import loss_gap

    quiet()
    text, parts = Text.of(config, config.num_held_out), Finished(folder=run_folder() / PARTS)
    metrics: dict[str, float] = {}
    for phase in (BALANCED, UNBALANCED, DENSE):
        found = once(parts, phase, partial(_train_one, config, notice, text, phase))
        metrics |= {f"{name}_{phase}": value for name, value in found["metrics"].items()}
    if config.compare and dist.get_rank() == 0:
        gap = partial(loss_gap, config, text.train, BALANCED, *_alone(config))
        metrics["loss_gap_to_one_process"] = parts.once("gap", lambda: {"gap": gap()})["gap"]
    return metrics


def _train_one(config: Config, notice: Notice, text: Text, phase: str) -> dict[str, Any]:
    """Train in one way; returns what is kept of it: metrics, and where tokens went if there are experts."""
    import torch.distributed as dist

    from jobs.mixture.routing import Routing, held_out_loss
    from jobs.parallel.loop import train
    from jobs.parallel.meter import Meter, summary
    from jobs.parallel.saves import Saves

    first, engine = dist.get_rank() == 0, _engine(config, phase)
    meter = Meter(phase=phase, config=config, world_size=dist.get_world_size())
    on_step = meter if first else lambda _: None
    saves = Saves(folder=run_folder() / "checkpoints" / phase)
    train(engine, text.train, config, saves=saves, stop=notice.given(), on_step=on_step)
    metrics = {"held_out_loss": held_out_loss(engine, text, config.micro_batch_size)}
    counts: Any = None
    if phase != DENSE:
        routing = Routing.of(engine, text, config.micro_batch_size)
        counts = routing.counts
        if phase == BALANCED:
            _export(engine, text)
        metrics |= routing.metrics() | _counted(engine, text, config)
    engine.close()
    if first:
        meter.close()
        metrics |= summary(config, phase, dist.get_world_size())
    return {"metrics": metrics, "counts": counts}


def _engine(config: Config, phase: str) -> Any:
    from jobs.parallel.experts import ExpertParallel, Options
    from jobs.parallel.whole import Whole

    if phase == DENSE:
        return Whole(config, precision=config.precision)
    balance = config.balance if phase == BALANCED else 0.0
    return ExpertParallel(config, Options(mixture=config.mixture, balance=balance, precision=config.precision))


def _export(engine: ExpertParallel, text: Text) -> None:
    """Write what vLLM will serve."""
    engine.export(_served_folder())
    if engine.data_rank == 0:
        text.tokenizer.save_pretrained(_served_folder())


def _counted(engine: ExpertParallel, text: Text, config: Config) -> dict[str, float]:
    """Parameters, and what travels and is computed in one step more, of an engine that is dropped next."""
    from jobs.parallel.tokens import micro_batches

    rows = micro_batches(text.train, config, config.steps + 1, rank=engine.data_rank, size=engine.data_size)
    traffic = engine.traffic_of_step(rows)
    mixture, num_tokens = config.mixture, config.global_batch_size * config.seq_length
    per_token = traffic.rows / num_tokens / mixture.dense.num_layers
    sent = mixture.exchanged_bytes(num_tokens, world_size=engine.data_size, value_bytes=config.precision.value_bytes)
    return {
        "total_parameters": engine.num_parameters,
        "active_parameters": engine.num_parameters - mixture.expert_parameters * (1 - per_token / mixture.num_experts),
        "experts_per_token": per_token,
        "exchanged_mib": traffic.sent_bytes / 2**20,
        **({"exchanged_to_formula": traffic.sent_bytes / sent} if sent else {}),
    }


def _alone(config: Config) -> tuple[Any, Any]:
    """How one process trains what all workers do: transformers' own Mixtral, with all experts."""
    from jobs.parallel.mixtral import losses, mixtral

    def loss_of(model: Any, tokens: Any) -> tuple[Any, Any]:
        loss, balance = losses(model, tokens, config.top_k)
        return loss, config.balance * balance

    return lambda _: mixtral(config.mixture, config.seq_length, seed=config.seed), loss_of


def _serve(config: Config) -> dict[str, float]:
    """In a worker: vLLM's answers to the first halves of some held-out rows."""
    from jobs.llm.process import quiet
    from jobs.mixture.served import compare

    quiet()
    rows = Text.of(config, config.num_held_out).held_out.rows(0, NUM_ASKED)
    half = config.seq_length // 2
    asked = {"new_tokens": half // 2, "seed": config.seed, "ready_seconds": config.ready_seconds}
    return compare(_served_folder(), rows[:, :half], **asked)


def _served_folder() -> Path:
    return run_folder() / "checkpoints" / "mixture"


def _draw(config: Config, parts: Finished, world_size: int) -> None:
    from jobs.llm.curve import draw_losses, read_losses
    from jobs.mixture.picture import draw_routing
    from jobs.mixture.routing import Routing

    title = f"{config.model}, {config.num_experts} experts, {config.top_k} a token, {world_size} workers"
    losses = read_losses(run_folder() / METRICS)
    trained = {phase: losses[phase] for phase in (BALANCED, UNBALANCED, DENSE)}
    draw_losses(trained, title, run_folder() / "loss.png", per="token")
    names = {BALANCED: "with the balance loss", UNBALANCED: "without it"}
    routings = {name: Routing(counts=parts.read(phase)["counts"]) for phase, name in names.items()}
    draw_routing(routings, kinds_of(config), title, run_folder() / "routing.png")

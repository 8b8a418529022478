"""QAT: train with rounded weights, against rounding after training at the same bits (arXiv:1712.05877), by torchao.

python -m jobs.submit qat
"""

from __future__ import annotations

import dataclasses
import gc
import math
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlab.config import Scale, Source, by_scale, source_problems
from clusterlab.run import METRICS
from jobs.compress.corpus import MADE as MADE_TEXTS
from jobs.compress.fake_quant import WIDTHS
from jobs.launch.folder import run_folder
from jobs.launch.workers import run_worker
from jobs.llm.bases import MADE as MADE_BASES
from jobs.llm.hub import SMOLLM2_360M, TINYLLAMA, WIKITEXT

if TYPE_CHECKING:
    from jobs.compress.corpus import Corpus
    from jobs.llm.bases import Base


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """One model trained in float and, at each bit width, with rounded weights: the same rows in the same order."""

    scale: Scale
    """How big; sets every value below that is not given."""
    model: Source = by_scale(tiny="tiny-llama", small="smollm2-135m-instruct", single=SMOLLM2_360M, full=TINYLLAMA)
    """A hub id with revision, a folder, `tiny-llama` (pretrained by the job) or `smollm2-135m-instruct`."""
    text: Source = by_scale(tiny="made", small="made", single=WIKITEXT, full=WIKITEXT)
    """`made` (what `tiny-llama` knows, from the seed), `shipped`, a folder of texts, or a hub id with revision."""
    bits: str = by_scale(tiny="2,3,4", small="3,4", single="2,3,4", full="2,3,4")
    """Bit widths of the weights, separated by commas."""
    group_size: int = by_scale(tiny=64, small=64, single=64, full=64)
    """Weights of a row that share one scale."""
    row_length: int = by_scale(tiny=64, small=128, single=512, full=1024)
    """Tokens in a row."""
    num_train: int = by_scale(tiny=1024, small=160, single=1600, full=3200)
    """Rows to train on."""
    num_evaluation: int = by_scale(tiny=128, small=24, single=100, full=100)
    """Other rows, to measure on."""
    steps: int = by_scale(tiny=120, small=40, single=200, full=400)
    """Optimizer steps of each training."""
    batch_size: int = by_scale(tiny=16, small=4, single=8, full=8)
    """Rows a step."""
    learning_rate: float = by_scale(tiny=3e-4, small=3e-5, single=3e-5, full=3e-5)
    """Constant. Where it is too high, training in float makes the model worse too, and the comparison says nothing."""
    max_grad_norm: float = 1.0
    checkpoint_every: int = by_scale(tiny=60, small=20, single=100, full=100)
    """Steps between checkpoints."""
    max_failures: int = 3
    """How often training is begun again from its last checkpoint before the run fails."""
    seed: int = 0

    def __post_init__(self) -> None:
        may_be_zero = ("max_failures", "seed")
        numbers = {name: value for name, value in dataclasses.asdict(self).items() if isinstance(value, int | float)}
        wrong = [
            f"{name.upper()}={value}: must be above 0"
            for name, value in numbers.items()
            if name not in may_be_zero and value <= 0
        ]
        wrong += [f"{name.upper()}={numbers[name]}: must not be below 0" for name in may_be_zero if numbers[name] < 0]
        known = [str(width) for width in WIDTHS]
        given = [text.strip() for text in self.bits.split(",")]
        if not set(given) <= set(known) or len(set(given)) < len(given):
            wrong.append(f"BITS={self.bits}: allowed: {', '.join(known)}, each once, separated by commas")
        wrong += source_problems(self, {"model": MADE_BASES, "text": MADE_TEXTS})
        if wrong:
            raise ValueError("; ".join(wrong))

    @property
    def widths(self) -> tuple[int, ...]:
        """The bit widths, rising."""
        return tuple(sorted(int(text) for text in self.bits.split(",")))


def main(config: Config) -> dict[str, float]:
    """Train, quantize and measure, and return the metrics that go into the run record.

    `recovered_<bits>` is the share of the loss added by rounding the model fine-tuned in float that training with
    rounded weights, for as many steps on the same rows, does not add.
    """
    from jobs.compress.qat_picture import SERIES, draw_recovered
    from jobs.llm.curve import draw_losses, read_losses

    metrics = run_worker(_train, config, max_failures=config.max_failures)
    folder = run_folder()
    losses = {phase: by_step for phase, by_step in read_losses(folder / METRICS).items() if phase != "pretrain"}
    draw_losses(losses, f"QAT, scale {config.scale}", folder / "loss.png", per="token")
    measured = {key: [math.log(metrics[f"{key}_{width}_perplexity"]) for width in config.widths] for key in SERIES}
    tuned = math.log(metrics["tuned_perplexity"])
    model = Path(config.model.partition("@")[0]).name
    title = f"{model}, groups of {config.group_size}, {config.steps} steps"
    draw_recovered(measured, tuned, config.widths, title, folder / "recovered.png")
    return metrics


def _train(config: Config) -> dict[str, float]:
    """In the worker."""
    from jobs.compress.corpus import Corpus
    from jobs.compress.fake_quant import check_group_size
    from jobs.compress.size import linear_shapes
    from jobs.llm.bases import Base
    from jobs.llm.process import prepare, report_pretraining

    prepare()
    base = Base.of(config.model, report_pretraining)
    check_group_size(linear_shapes(base.skeleton()), config.group_size)
    corpus = Corpus.of(
        config.text,
        base.tokenizer(),
        row_length=config.row_length,
        num_calibration=config.num_train,
        num_evaluation=config.num_evaluation,
        seed=config.seed,
        calibration_env="NUM_TRAIN",
    )
    lab = _Lab(config=config, base=base, corpus=corpus)
    metrics = lab.in_float()
    for width in config.widths:
        metrics |= lab.rounded(width)
        metrics |= _recovered(metrics, width)
    # A run that is done never goes on from them, and each holds all weights and twice as much of the optimizer.
    shutil.rmtree(run_folder() / "checkpoints")
    return metrics


def _recovered(metrics: dict[str, float], width: int) -> dict[str, float]:
    tuned, ptq, qat = (
        math.log(metrics[f"{name}_perplexity"]) for name in ("tuned", f"tuned_ptq_{width}", f"qat_{width}")
    )
    return {f"loss_gap_{width}": ptq - tuned, f"recovered_{width}": (ptq - qat) / (ptq - tuned)}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Lab:
    """What all trainings share."""

    config: Config
    base: Base
    corpus: Corpus

    def in_float(self) -> dict[str, float]:
        """The model as it is and fine-tuned, and both rounded at each bit width."""
        metrics = {"perplexity": self._perplexity(self._load())}
        model = self._trained(self._load(), "float")
        metrics["tuned_perplexity"] = self._perplexity(model)
        weights = {name: weight.cpu() for name, weight in model.state_dict().items()}
        del model
        for width in self.config.widths:
            for name, state in (("ptq", None), ("tuned_ptq", weights)):
                metrics[f"{name}_{width}_perplexity"] = self._perplexity(self._quantized(width, state))
        return metrics

    def rounded(self, width: int) -> dict[str, float]:
        """The model trained with weights of that many bits, before and after they are rounded for good; it is saved."""
        from jobs.compress.fake_quant import convert, prepare
        from jobs.compress.pack_quantized import save_packed
        from jobs.compress.size import disk_bytes

        model = self._load()
        prepare(model, width, self.config.group_size)
        self._trained(model, f"qat-{width}")
        fake = self._perplexity(model)
        convert(model, width, self.config.group_size)
        converted = self._perplexity(model)
        folder = run_folder() / f"qat-{width}"
        save_packed(model, self.base.tokenizer(), folder, bits=width, group_size=self.config.group_size)
        return {
            f"qat_{width}_perplexity": converted,
            f"conversion_gap_{width}": converted - fake,
            f"qat_{width}_disk_mib": disk_bytes(folder) / 2**20,
        }

    def _load(self) -> Any:
        """In float32, since the steps of a fine-tuning are below what bfloat16 resolves of a weight."""
        import torch

        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return self.base.load(quantized=False).float().requires_grad_()

    def _quantized(self, width: int, state: dict[str, Any] | None) -> Any:
        from jobs.compress.fake_quant import quantize_weights

        model = self._load()
        if state is not None:
            model.load_state_dict(state)
        quantize_weights(model, width, self.config.group_size)
        return model

    def _trained(self, model: Any, phase: str) -> Any:
        from jobs.llm.alpaca import Tokens
        from jobs.llm.checkpoints import Checkpoints
        from jobs.llm.finetune import Recipe, finetune
        from jobs.llm.process import report_step

        # Every token but the first of a row is to be predicted.
        examples = [Tokens(prompt=row[:1], response=row[1:]) for row in self.corpus.calibration.tolist()]
        finetune(
            model,
            examples,
            Recipe.of(self.config),
            checkpoints=Checkpoints(folder=run_folder() / "checkpoints" / phase, keep=1),
            on_step=partial(report_step, phase, self.config.steps),
        )
        return model

    def _perplexity(self, model: Any) -> float:
        from jobs.compress.quality import perplexity

        return perplexity(model.eval(), self.corpus.evaluation)

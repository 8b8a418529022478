"""QLoRA: fine-tune a 4-bit model with low-rank adapters (Dettmers et al., 2023, arXiv:2305.14314).

python -m jobs.submit qlora
"""

from __future__ import annotations

import dataclasses
import gc
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlab.config import PINNED, Scale, Source, by_scale
from clusterlab.errors import InputError, Problem
from clusterlab.run import METRICS
from jobs.launch.folder import report, run_folder
from jobs.launch.workers import run_worker
from jobs.llm.alpaca import MADE as MADE_DATA
from jobs.llm.bases import MADE as MADE_BASES

if TYPE_CHECKING:
    from jobs.llm.alpaca import Tokens
    from jobs.llm.bases import Base
    from jobs.llm.finetune import Recipe
    from jobs.llm.instructions import Example

LLAMA_2_7B = Source("meta-llama/Llama-2-7b-hf@01c7f73d771dfac7d292323805ebc428287df4f9")
ALPACA = Source("tatsu-lab/alpaca@dce01c9b08f87459cf36a430d809084718273017")


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """One fine-tuning; the hyper-parameters of `full` are those of the paper's appendix B."""

    scale: Scale
    """How big; sets every value below that is not given."""
    model: Source = by_scale(tiny="tiny-llama", small="smollm2-135m-instruct", single=LLAMA_2_7B, full=LLAMA_2_7B)
    """The base: a hub id with revision, a folder, `tiny-llama` (pretrained by the job) or `smollm2-135m-instruct`."""
    data: Source = by_scale(tiny="made", small="made", single=ALPACA, full=ALPACA)
    """Instructions in Alpaca's format: a hub id with revision, a folder with `*.json`, or `made` (from the seed)."""
    num_train: int = by_scale(tiny=1000, small=1000, single=4000, full=50000)
    """Examples to train on."""
    num_eval: int = by_scale(tiny=120, small=60, single=200, full=1000)
    """Held-out examples."""
    steps: int = by_scale(tiny=150, small=40, single=200, full=1875)
    """Optimizer steps."""
    batch_size: int = 16
    """Examples a step."""
    row_length: int = by_scale(tiny=256, small=256, single=1024, full=1024)
    """Tokens in a packed row; a longer example is cut."""
    learning_rate: float = by_scale(tiny=2e-3, small=5e-4, single=2e-4, full=2e-4)
    lora_rank: int = by_scale(tiny=16, small=16, single=64, full=64)
    lora_alpha: int = 16
    lora_dropout: float = by_scale(tiny=0.0, small=0.0, single=0.1, full=0.1)
    compare_lora: bool = by_scale(tiny=True, small=True, single=True, full=False)
    """Train the same adapters on the unquantized base too, and report the gap."""
    max_grad_norm: float = 0.3
    max_new_tokens: int = by_scale(tiny=16, small=16, single=64, full=64)
    """Longest answer, when answers are compared with the wanted ones."""
    checkpoint_every: int = by_scale(tiny=50, small=10, single=50, full=125)
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
            if name not in (*may_be_zero, "lora_dropout") and not isinstance(value, bool) and value <= 0
        ]
        if not 0 <= self.lora_dropout < 1:
            wrong.append(f"LORA_DROPOUT={self.lora_dropout}: must be from 0 to below 1")
        wrong += [f"{name.upper()}={numbers[name]}: must not be below 0" for name in may_be_zero if numbers[name] < 0]
        for key, made in (("model", MADE_BASES), ("data", MADE_DATA)):
            source = getattr(self, key)
            if source not in made and not PINNED.fullmatch(source) and not Path(source).is_dir():
                allowed = f"{', '.join(made)}, a folder, or org/name@<40-hex revision>"
                wrong.append(f"{key.upper()}={source}: allowed: {allowed}")
        if wrong:
            raise ValueError("; ".join(wrong))


def main(config: Config) -> dict[str, float]:
    """Fine-tune, and return the metrics that go into the run record.

    Losses are in nats a response token, memory in MiB of weights, throughput in tokens of examples a second.
    """
    from jobs.llm.curve import draw_losses, read_losses

    metrics = run_worker(_train, config, max_failures=config.max_failures)
    folder = run_folder()
    losses = {phase: by_step for phase, by_step in read_losses(folder / METRICS).items() if phase != "pretrain"}
    draw_losses(losses, f"QLoRA, scale {config.scale}", folder / "loss.png")
    return metrics


def _train(config: Config) -> dict[str, float]:
    """In the worker: QLoRA, and beside it LoRA on the unquantized base."""
    import torch
    from transformers import logging

    from jobs.llm.bases import Base
    from jobs.llm.quantized import model_mib

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.use_deterministic_algorithms(mode=not torch.cuda.is_available())
    base = Base.of(config.model, lambda step, steps, loss: report("pretrain", step, steps, loss=loss))
    data = _load_data(config, base)
    skeleton = base.skeleton()
    measured = {"unquantized_mib": model_mib(skeleton)}
    measured |= _fine_tune(config, base, data, quantized=True)
    measured["trainable_share"] = measured["trainable_parameters"] / sum(p.numel() for p in skeleton.parameters())
    if config.compare_lora:
        lora = _fine_tune(config, base, data, quantized=False)
        kept = ("base_mib", "eval_loss_after", "exact_match_after", "tokens_per_second")
        measured |= {f"lora_{name}": lora[name] for name in kept}
        measured["eval_loss_gap_to_lora"] = measured["eval_loss_after"] - lora["eval_loss_after"]
    return measured


@dataclass(frozen=True, kw_only=True, slots=True)
class _Data:
    """What to train on and what to ask afterwards."""

    tokenizer: Any
    train: list[Tokens]
    held_out: list[Tokens]
    held_out_texts: list[Example]


def _load_data(config: Config, base: Base) -> _Data:
    from jobs.llm.alpaca import load_examples, tokenize

    tokenizer = base.tokenizer()
    texts = load_examples(config.data, config.num_train, config.num_eval, seed=config.seed)
    train, held_out = (tokenize(part, tokenizer, config.row_length) for part in texts)
    if not train or not held_out:
        raise InputError(Problem(path=f"ROW_LENGTH={config.row_length}", message="no example fits in so few tokens"))
    return _Data(
        tokenizer=tokenizer,
        train=list(train.values()),
        held_out=list(held_out.values()),
        held_out_texts=list(held_out),
    )


def _fine_tune(config: Config, base: Base, data: _Data, *, quantized: bool) -> dict[str, float]:
    """Train adapters on one form of the base, and measure before and after."""
    from jobs.llm.checkpoints import Checkpoints
    from jobs.llm.evaluate import write_answers
    from jobs.llm.finetune import finetune
    from jobs.llm.quantized import bits_per_parameter, model_mib

    phase = "qlora" if quantized else "lora"
    folder = run_folder()
    model = base.load(quantized=quantized)
    measured = {"base_mib": model_mib(model)}
    if quantized:
        measured["bits_per_parameter"] = bits_per_parameter(model)
    model = _with_adapters(model, config)
    measured["trainable_parameters"] = sum(p.numel() for p in model.parameters() if p.requires_grad)
    with model.disable_adapter():
        before, answers_before = _evaluate(config, model, data)
    progress = finetune(
        model,
        data.train,
        _recipe(config),
        checkpoints=Checkpoints(folder=folder / "checkpoints" / phase),
        on_step=partial(_report_step, phase, config.steps),
    )
    after, answers_after = _evaluate(config, model, data)
    model.save_pretrained(folder / "adapters" / phase)
    if quantized:
        write_answers(folder / "answers.txt", data.held_out_texts, answers_before, answers_after)
    measured |= {f"{name}_before": value for name, value in before.items()}
    measured |= {f"{name}_after": value for name, value in after.items()}
    return measured | {"tokens_per_second": progress.tokens_per_second} | _gpu_memory()


def _with_adapters(model: Any, config: Config) -> Any:
    """LoRA on all linear layers, the head apart; activations are computed again in the backward pass."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(config.seed)
    lora = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    return get_peft_model(model, lora)


def _recipe(config: Config) -> Recipe:
    from jobs.llm.finetune import Recipe

    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(Recipe)}
    return Recipe(**values)


def _report_step(phase: str, steps: int, step: int, loss: float, seconds: float, tokens: int) -> None:
    report(phase, step, steps, loss=loss, tokens_per_second=tokens / seconds)


def _evaluate(config: Config, model: Any, data: _Data) -> tuple[dict[str, float], list[str]]:
    from jobs.llm.evaluate import answers, eval_loss, exact_match

    given = answers(model, data.tokenizer, data.held_out, config.max_new_tokens)
    measured = {
        "eval_loss": eval_loss(model, data.held_out, config.row_length),
        "exact_match": exact_match(given, data.held_out_texts),
    }
    return measured, given


def _gpu_memory() -> dict[str, float]:
    """The peak of this process's GPU memory since it was last asked for; nothing on a CPU."""
    import torch

    if not torch.cuda.is_available():
        return {}
    peak = torch.cuda.max_memory_allocated() / 2**30
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return {"peak_memory_gib": peak}

"""QLoRA: fine-tune a 4-bit model with low-rank adapters (Dettmers et al., 2023, arXiv:2305.14314).

python -m jobs.submit qlora
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from clusterlab.config import by_scale
from clusterlab.run import METRICS
from jobs.launch.folder import run_folder
from jobs.launch.workers import run_worker
from jobs.tuning.settings import InstructionTuning

if TYPE_CHECKING:
    from jobs.llm.bases import Base
    from jobs.tuning.task import Task


@dataclass(frozen=True, kw_only=True, slots=True)
class Config(InstructionTuning):
    """One fine-tuning; the hyper-parameters of `full` are those of the paper's appendix B."""

    compare_lora: bool = by_scale(tiny=True, small=True, single=True, full=False)
    """Train the same adapters on the unquantized base too, and report the gap."""


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
    from jobs.compress.size import memory_bytes
    from jobs.llm.bases import Base
    from jobs.llm.process import prepare, report_pretraining
    from jobs.tuning.targets import check_adapters
    from jobs.tuning.task import Task

    prepare()
    skeleton = Base.skeleton_of(config.model)
    check_adapters(skeleton, config, ["qlora"])
    base = Base.of(config.model, report_pretraining)
    task = Task.load(config, base)
    measured = {"unquantized_mib": memory_bytes(skeleton) / 2**20}
    measured |= _fine_tune(config, base, task, "qlora")
    measured["trainable_share"] = measured["trainable_parameters"] / sum(p.numel() for p in skeleton.parameters())
    if config.compare_lora:
        lora = _fine_tune(config, base, task, "lora")
        kept = ("base_mib", "eval_loss_after", "exact_match_after", "tokens_per_second")
        measured |= {f"lora_{name}": lora[name] for name in kept}
        measured["eval_loss_gap_to_lora"] = measured["eval_loss_after"] - lora["eval_loss_after"]
    return measured


def _fine_tune(config: Config, base: Base, task: Task, name: str) -> dict[str, float]:
    """Train adapters on one form of the base, and measure before and after."""
    from jobs.compress.size import bits_per_parameter, linear_shapes, memory_bytes
    from jobs.llm.checkpoints import Checkpoints
    from jobs.llm.evaluate import write_answers
    from jobs.llm.finetune import finetune
    from jobs.llm.process import gpu_memory, report_step
    from jobs.tuning.methods import METHODS

    method, folder = METHODS[name], run_folder()
    model = base.load(quantized=method.quantized)
    measured = {"base_mib": memory_bytes(model) / 2**20}
    if method.quantized:
        measured["bits_per_parameter"] = bits_per_parameter(model, linear_shapes(base.skeleton()))
    model = method.attach(model, config)
    measured["trainable_parameters"] = sum(p.numel() for p in model.parameters() if p.requires_grad)
    with model.disable_adapter():
        before, answers_before = task.examine(model)
    progress = finetune(
        model,
        task.train,
        config.recipe(),
        checkpoints=Checkpoints(folder=folder / "checkpoints" / name),
        on_step=partial(report_step, name, config.steps),
    )
    after, answers_after = task.examine(model)
    model.save_pretrained(folder / "adapters" / name)
    if method.quantized:
        write_answers(folder / "answers.txt", task.held_out_texts, answers_before, answers_after)
    measured |= {f"{key}_before": value for key, value in before.items()}
    measured |= {f"{key}_after": value for key, value in after.items()}
    return measured | {"tokens_per_second": progress.tokens_per_second} | gpu_memory()

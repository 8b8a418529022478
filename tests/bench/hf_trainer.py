"""The same training by Hugging Face's Trainer with FSDP2, and by our FSDP2 loop, in turn in one process group.

torchrun --nproc-per-node 2 -m tests.bench.hf_trainer --pairs 3
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from typing import Any

from clusterlab.config import parse
from clusterlab.fit.memory import Precision, Recompute
from jobs.parallel.loop import train
from jobs.parallel.model import llama
from jobs.parallel.settings import Training
from jobs.parallel.tokens import Stream

WARM_UP = 10
"""Steps that do not count."""
STEPS = 60


def ours(config: Training) -> tuple[float, float]:
    """Seconds of the steps that count, and the last loss."""
    from jobs.parallel.fsdp import FullySharded, Options

    options = Options(precision=Precision.FLOAT32, recompute=Recompute.NONE, cpu_offload=False, compile=False)
    engine = FullySharded(config, options)
    ends: list[float] = []
    steps = train(engine, Stream.of(config), config, on_step=lambda _: ends.append(time.perf_counter()))
    engine.close()
    return ends[-1] - ends[WARM_UP - 1], steps[-1].loss


def theirs(config: Training, folder: str) -> tuple[float, float]:
    """The same by Trainer: the same rows in the same order, the same optimizer, float32, a log line each step."""
    from transformers import Trainer, TrainerCallback, TrainingArguments

    ends: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            ends.append(time.perf_counter())

    arguments = TrainingArguments(
        output_dir=folder,
        use_cpu=True,
        max_steps=config.steps,
        per_device_train_batch_size=config.micro_batch_size,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        lr_scheduler_type="constant",
        max_grad_norm=0.0,
        logging_steps=1,
        report_to=[],
        disable_tqdm=True,
        save_strategy="no",
        seed=config.seed,
        fsdp="full_shard auto_wrap",
        fsdp_config={"fsdp_version": 2, "transformer_layer_cls_to_wrap": ["LlamaDecoderLayer"]},
    )
    _fsdp_on_a_cpu()
    model = llama(config.shape, config.seq_length, seed=config.seed)
    trainer = _in_order(Trainer)(model=model, args=arguments, train_dataset=_rows(config), callbacks=[Clock()])
    trainer.train()
    if not trainer.accelerator.is_fsdp2:
        raise RuntimeError("Trainer did not take FSDP2, so that there is nothing to compare")
    return ends[-1] - ends[WARM_UP - 1], trainer.state.log_history[-2]["loss"]


def _fsdp_on_a_cpu() -> None:
    """Let accelerate take its own FSDP2 code on a CPU too: it keeps that to GPUs and, asked for it, would use DDP."""
    from accelerate.state import AcceleratorState, DistributedType, PartialState

    made = AcceleratorState.__init__

    def make(self: Any, *arguments: Any, fsdp_plugin: Any = None, **options: Any) -> None:
        made(self, *arguments, fsdp_plugin=fsdp_plugin, **options)
        if fsdp_plugin is not None and self.distributed_type is DistributedType.MULTI_CPU:
            self.distributed_type, self.fsdp_plugin = DistributedType.FSDP, fsdp_plugin
            PartialState._shared_state["distributed_type"] = DistributedType.FSDP

    AcceleratorState.__init__ = make


def _in_order(trainer: Any) -> Any:
    """Rows are taken one after the other, and all weights decay, as with us."""

    class InOrder(trainer):  # type: ignore[misc]
        def _get_train_sampler(self, dataset: Any = None) -> Any:
            from torch.utils.data import SequentialSampler

            return SequentialSampler(dataset if dataset is not None else self.train_dataset)

        def get_decay_parameter_names(self, model: Any) -> list[str]:
            return [name for name, _ in model.named_parameters()]

    return InOrder


def _rows(config: Training) -> list[dict[str, Any]]:
    """What Trainer shifts by one itself: it leaves the last token of a row out of the loss, which ours has."""
    rows = Stream.of(config).rows(0, config.steps * config.global_batch_size)
    return [{"input_ids": row, "labels": row} for row in rows]


def main() -> None:
    """Measure pairs and print one JSON line."""
    import torch
    import torch.distributed as dist

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    config = parse(Training, {"SCALE": "tiny", "STEPS": str(STEPS)})
    with tempfile.TemporaryDirectory() as folder:
        pairs = [(ours(config), theirs(config, folder)) for _ in range(arguments.pairs)]
    if os.environ["RANK"] == "0":
        print(json.dumps({"pairs": pairs, "ratios": [their[0] / our[0] for our, their in pairs]}))


if __name__ == "__main__":
    main()

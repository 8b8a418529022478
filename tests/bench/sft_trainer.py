"""QLoRA by this project and by TRL's SFTTrainer with PEFT, side by side: the same base, data, batches and adapters.

python -m tests.bench.sft_trainer tiny-llama --steps 40 --pairs 3
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clusterlab.config import Source, parse
from jobs.llm.alpaca import Tokens, load_examples, tokenize
from jobs.llm.bases import Base
from jobs.llm.evaluate import eval_loss
from jobs.llm.finetune import batch_indices, finetune
from jobs.qlora import Config
from jobs.tuning.methods import METHODS


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What both train on."""

    config: Config
    base: Base
    train: Sequence[Tokens]
    held_out: Sequence[Tokens]
    tokenizer: Any

    @classmethod
    def of(cls, model: str, steps: int) -> Setting:
        """The data of the lab, as many examples as the steps take."""
        config = parse(Config, {"SCALE": "tiny", "MODEL": model, "STEPS": str(steps), "COMPARE_LORA": "false"})
        base = Base.of(Source(model), lambda *_: None)
        tokenizer = base.tokenizer()
        train, held_out = load_examples(config.data, config.num_train, config.num_eval, seed=config.seed)
        return cls(
            config=config,
            base=base,
            train=list(tokenize(train, tokenizer, config.row_length).values()),
            held_out=list(tokenize(held_out, tokenizer, config.row_length).values()),
            tokenizer=tokenizer,
        )

    def in_order(self) -> list[Tokens]:
        """The examples of all steps, one after the other."""
        recipe = self.config.recipe()
        steps = (batch_indices(len(self.train), step, recipe) for step in range(1, self.config.steps + 1))
        return [self.train[index] for indices in steps for index in indices]


def ours(setting: Setting) -> tuple[float, float]:
    """Tokens a second without the first step, and the held-out loss afterwards."""
    model = METHODS["qlora"].attach(setting.base.load(quantized=True), setting.config)
    ended: list[float] = []
    finetune(model, setting.train, setting.config.recipe(), on_step=lambda *_: ended.append(time.perf_counter()))
    return _speed(setting, ended), eval_loss(model, setting.held_out, setting.config.row_length)


def trl(setting: Setting) -> tuple[float, float]:
    """The same by SFTTrainer; its model gets its adapters from PEFT, and its batches are padded."""
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    config = setting.config
    ended: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            ended.append(time.perf_counter())

    model = METHODS["qlora"].attach(setting.base.load(quantized=True), config)
    rows = [
        {"input_ids": e.prompt + e.response, "completion_mask": [0] * len(e.prompt) + [1] * len(e.response)}
        for e in setting.in_order()
    ]
    with tempfile.TemporaryDirectory() as folder:
        arguments = SFTConfig(
            output_dir=folder,
            max_steps=config.steps,
            per_device_train_batch_size=config.batch_size,
            learning_rate=config.learning_rate,
            lr_scheduler_type="constant",
            weight_decay=0.0,
            max_grad_norm=config.max_grad_norm,
            optim="adamw_torch",
            gradient_checkpointing=True,
            gradient_checkpointing_kwargs={"use_reentrant": False},
            completion_only_loss=True,
            train_sampling_strategy="sequential",
            max_length=config.row_length,
            report_to=[],
            use_cpu=True,
            bf16=False,
            save_strategy="no",
            logging_steps=1,
            disable_tqdm=True,
        )
        trainer = SFTTrainer(
            model=model,
            args=arguments,
            train_dataset=Dataset.from_list(rows),
            processing_class=setting.tokenizer,
            callbacks=[Clock()],
        )
        trainer.train()
    return _speed(setting, ended), eval_loss(model, setting.held_out, config.row_length)


def _speed(setting: Setting, ended: list[float]) -> float:
    tokens = sum(map(len, setting.in_order()[setting.config.batch_size :]))
    return tokens / (ended[-1] - ended[0])


def main() -> None:
    """Run both in turn and print one JSON line with the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=3)
    arguments = parser.parse_args()
    setting = Setting.of(arguments.model, arguments.steps)
    pairs = [(ours(setting), trl(setting)) for _ in range(arguments.pairs)]
    print(json.dumps({"pairs": pairs, "ratios": [mine[0] / theirs[0] for mine, theirs in pairs]}))


if __name__ == "__main__":
    main()

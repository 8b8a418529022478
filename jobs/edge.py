"""A model on a device without a GPU: llama.cpp's files beside PyTorch, in speed, memory and energy.

python -m jobs.submit edge
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from clusterlab.config import Scale, Source, by_scale, range_problems, source_problems
from jobs.device.study import Study
from jobs.launch.folder import report, run_folder
from jobs.launch.numbers import number_problems, parse_numbers
from jobs.launch.workers import run_worker
from jobs.llamacpp.file_types import parse_types, type_problems
from jobs.llm.bases import MADE as MADE_BASES
from jobs.llm.hub import MISTRAL_7B, TINYLLAMA
from jobs.llm.pretrain import TinyLlama

RANDOM = "random-llama"
LARGE = TinyLlama(
    hidden_size=512, intermediate_size=1536, num_hidden_layers=12, num_attention_heads=8, num_key_value_heads=4
)
"""`random-llama`: 39 million weights, in rows that fill K blocks; so many that reading them is what takes the time."""
PROMPT = " A model on a device without a network reads a line and writes another."
PROMPT_TOKENS = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """One model in llama.cpp's types and in PyTorch's dtypes, one stream each."""

    scale: Scale
    """How big; sets every value below that is not given."""
    model: Source = by_scale(tiny=RANDOM, small="smollm2-135m-instruct", single=TINYLLAMA, full=MISTRAL_7B)
    """A Llama or Mistral: a hub id with revision, a folder, a base that the project makes, or `random-llama`."""
    types: str = by_scale(
        tiny="F32,F16,Q8_0,Q4_K_M", small="F32,F16,Q8_0,Q4_0", single="F16,Q8_0,Q4_K_M", full="F16,Q8_0,Q4_K_M"
    )
    """Types of GGUF files, with commas between; F32 or F16 must be there."""
    studied: str = "Q8_0"
    """The type whose threads are counted up, and which is read copied as well as mapped."""
    num_threads: int = by_scale(tiny=1, small=2, single=2, full=2)
    """CPU threads with which all types and dtypes are compared."""
    threads: str = "1,2,4"
    """Numbers of threads to try, growing, with commas between; more than there are free cores take longer."""
    new_tokens: int = 32
    """Tokens that are written, three times each."""
    watts_per_core: float = 6.75
    """Of a busy core, where no counter says it: an Intel Xeon Platinum 8380 has 270 W and 40 cores (ark.intel.com)."""
    limit_seconds: float = by_scale(tiny=300.0, small=600.0, single=1800.0, full=3600.0)
    """How long writing the files may take, and each reading."""
    max_failures: int = 1
    """How often a worker that died is begun again."""

    def __post_init__(self) -> None:
        least = {"num_threads": 1, "new_tokens": 1, "max_failures": 0}
        wrong = range_problems(self, least=least, above_zero=["limit_seconds", "watts_per_core"])
        wrong += source_problems(self, {"model": (RANDOM, *MADE_BASES)})
        wrong += type_problems(self.types, STUDIED=self.studied)
        wrong += number_problems(self, ["threads"])
        if wrong:
            raise ValueError("; ".join(wrong))


def main(config: Config) -> dict[str, float]:
    """Write the files, read every case in a process of its own, and return the metrics that go into the run record.

    A metric ends in the form of the weights, `copied` where a file is not mapped, and `at_` a number of threads where
    those are counted up. Memory is in MiB; `joules_per_token` is what the processor counted (`energy_counted` is 1), or
    its busy seconds by WATTS_PER_CORE. `gain` is against PyTorch's float32; `agreement` the share of tokens that the
    most exact file and PyTorch say alike, until the first that differs.
    """
    from jobs.device.picture import draw
    from jobs.device.table import markdown
    from jobs.launch.environments import python_of
    from jobs.llamacpp.asked import ENVIRONMENT

    python_of(ENVIRONMENT)
    metrics = run_worker(_work, config, max_failures=config.max_failures)
    folder, study = run_folder(), _study(config)
    (folder / "device.md").write_text(markdown(metrics, study))
    draw(metrics, study, f"{Path(config.model.partition('@')[0]).name} on a CPU, one stream", folder / "device.png")
    return metrics


def _study(config: Config) -> Study:
    return Study(
        types=parse_types(config.types),
        studied=config.studied,
        num_threads=config.num_threads,
        threads=parse_numbers(config.threads),
        new_tokens=config.new_tokens,
        watts_per_core=config.watts_per_core,
    )


def _work(config: Config) -> dict[str, float]:
    """In the worker: find the model, write its files, and read them one after the other."""
    from jobs.launch.finished import Finished

    finished, models = Finished(folder=run_folder().absolute() / "readings"), run_folder().absolute() / "models"
    checkpoint, prompt = _checkpoint(config)
    disk = finished.once("files", lambda: _write(config, checkpoint, models))
    study, readings = _study(config), {}
    cases = study.cases(checkpoint, models, prompt)
    for number, case in enumerate(cases, 1):
        found = finished.once(case.name, partial(case.read, models / case.name, config.limit_seconds))
        readings[case.name] = found
        report("read", number, len(cases), tokens_per_second=found["tokens_per_second"])
    # Hundreds of megabytes that anybody can make again.
    shutil.rmtree(models, ignore_errors=True)
    return study.metrics(readings) | {f"disk_mib_{name.lower()}": size for name, size in disk.items()}


def _checkpoint(config: Config) -> tuple[Path, list[int]]:
    """The model's folder, and the ids of the prompt.

    Raises:
        InputError: llama.cpp has no such architecture or tokenizer.
    """
    from transformers import AutoConfig, AutoTokenizer

    from jobs.llamacpp.export import check_exportable
    from jobs.llamacpp.vocabulary import Vocabulary
    from jobs.llm.bases import Base
    from jobs.llm.pretrain import random_llama
    from jobs.llm.process import quiet, report_pretraining

    quiet()
    folder = random_llama(LARGE) if config.model == RANDOM else Base.of(config.model, report_pretraining).folder()
    shape, tokenizer = AutoConfig.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    check_exportable(shape)
    Vocabulary.of(tokenizer, shape.vocab_size)
    return folder, list(tokenizer(PROMPT)["input_ids"])[:PROMPT_TOKENS]


def _write(config: Config, checkpoint: Path, models: Path) -> dict[str, float]:
    """MiB on disk of each type's file."""
    from jobs.launch import exchange
    from jobs.llamacpp.asked import ENVIRONMENT

    asked: dict[str, Any] = {"checkpoint": str(checkpoint), "models": str(models), "types": parse_types(config.types)}
    asked |= {"num_threads": config.num_threads}
    process: dict[str, Any] = {"num_threads": config.num_threads, "seconds": config.limit_seconds}
    return exchange.ask("jobs.device.write_files", asked, models, environment=ENVIRONMENT, **process)

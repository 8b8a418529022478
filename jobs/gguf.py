"""GGUF: export a Llama, quantize it, run it on the CPU, and serve it, by llama.cpp (ggml-org/llama.cpp).

python -m jobs.submit gguf
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clusterlab.config import Scale, Source, by_scale, range_problems, source_problems
from jobs.compress.corpus import MADE as MADE_TEXTS
from jobs.launch.folder import run_folder
from jobs.launch.workers import run_worker
from jobs.llamacpp.file_types import UNQUANTIZED, parse_types, type_problems
from jobs.llm.bases import MADE as MADE_BASES
from jobs.llm.bases import Base
from jobs.llm.hub import LLAMA_2_7B, TINYLLAMA, WIKITEXT


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """One export with all that follows; `full` has the types that llama.cpp publishes figures of."""

    scale: Scale
    """How big; sets every value below that is not given."""
    model: Source = by_scale(tiny="tiny-llama-256", small="smollm2-135m-instruct", single=TINYLLAMA, full=LLAMA_2_7B)
    """A Llama: a hub id with revision, a folder, or a base that the project makes; `tiny-llama-256` fills K blocks."""
    text: Source = by_scale(tiny="made", small="shipped", single=WIKITEXT, full=WIKITEXT)
    """What is measured on: a hub id with revision, a folder with `*.txt` or `*.parquet`, `made`, or `shipped`."""
    types: str = by_scale(
        tiny="F32,F16,Q8_0,Q4_K_M,Q2_K",
        small="F32,F16,Q8_0,Q4_K_M,Q2_K",
        single="F32,F16,Q8_0,Q4_K_M,Q2_K",
        full="F16,Q8_0,Q4_K_M,Q4_K_S,Q2_K",
    )
    """Types of GGUF files, with commas between; F32 or F16 must be there, and the others are quantized from it."""
    served: str = "Q4_K_M"
    """Which of them the server serves."""
    row_length: int = by_scale(tiny=32, small=128, single=512, full=512)
    """Tokens in a row of text."""
    num_rows: int = by_scale(tiny=128, small=12, single=16, full=16)
    """Rows that perplexity, divergence and logits are measured on."""
    new_tokens: int = by_scale(tiny=32, small=32, single=64, full=64)
    """Tokens that are written to take the time, and in the completion that the server is asked for."""
    num_threads: int = by_scale(tiny=1, small=2, single=8, full=12)
    """CPU threads of llama.cpp; they wait for each other in busy loops: more than there are free cores take longer."""
    max_failures: int = 1
    """How often a worker that died is begun again."""
    seed: int = 0

    def __post_init__(self) -> None:
        least = {"row_length": 2, "num_rows": 1, "new_tokens": 1, "num_threads": 1, "max_failures": 0, "seed": 0}
        wrong = range_problems(self, least=least)
        wrong += source_problems(self, {"model": MADE_BASES, "text": MADE_TEXTS})
        wrong += type_problems(self.types, SERVED=self.served)
        if wrong:
            raise ValueError("; ".join(wrong))


def main(config: Config) -> dict[str, float]:
    """Export, quantize, run and serve, and return the metrics that go into the run record.

    Each metric of a file ends in its type: bits a weight of the blocks' matrices, MiB on disk, perplexity, divergence
    to the source in nats a token, relative error of the logits, tokens a second, seconds to write it, and the share of
    weights that had to take another type than the one asked for. `server_agreement` is 1 where the server's completion
    is the direct one to the letter, `tokenizer_agreement` the share of rows that llama.cpp cuts into the same ids.
    """
    from jobs.launch.environments import python_of
    from jobs.llamacpp.asked import ENVIRONMENT
    from jobs.llamacpp.picture import draw_types

    python_of(ENVIRONMENT)
    metrics = run_worker(_work, config, max_failures=config.max_failures)
    title = f"{config.model.partition('@')[0]} in llama.cpp, threads: {config.num_threads}"
    draw_types(metrics, parse_types(config.types), title, run_folder() / "types.png")
    return metrics


def _work(config: Config) -> dict[str, float]:
    """In the worker: find the model, cut the text, and leave the rest to llama.cpp's environment."""
    import tempfile

    from jobs.compress.corpus import Corpus
    from jobs.llamacpp.asked import Asked, ask

    base = _base(config)
    run = run_folder().absolute()
    with tempfile.TemporaryDirectory(prefix="corpus-", dir=run) as corpus:
        Corpus.of(
            config.text,
            base.tokenizer(),
            row_length=config.row_length,
            num_calibration=0,
            num_evaluation=config.num_rows,
            seed=config.seed,
        ).save(Path(corpus))
        asked = Asked(
            base=str(base.folder()),
            corpus=corpus,
            models=str(run / "models"),
            types=list(parse_types(config.types)),
            served=config.served,
            new_tokens=config.new_tokens,
            num_threads=config.num_threads,
        )
        metrics = ask(asked, run)
    return metrics | _steps(metrics, parse_types(config.types))


def _base(config: Config) -> Base:
    """The model, found or made.

    Raises:
        InputError: llama.cpp has no such architecture or tokenizer.
    """
    from transformers import AutoConfig

    from jobs.llamacpp.export import check_exportable
    from jobs.llamacpp.vocabulary import Vocabulary
    from jobs.llm.process import quiet, report_pretraining

    quiet()
    base = Base.of(config.model, report_pretraining)
    shape = AutoConfig.from_pretrained(base.folder())
    check_exportable(shape)
    Vocabulary.of(base.tokenizer(), shape.vocab_size)
    return base


def _steps(metrics: Mapping[str, float], types: tuple[str, ...]) -> dict[str, float]:
    """The least factor by which the divergence grows from one quantized type to the next with fewer bits."""
    quantized = [name.lower() for name in types if name not in UNQUANTIZED]
    quantized.sort(key=lambda name: -metrics[f"bits_per_parameter_{name}"])
    lost = [metrics[f"kl_divergence_{name}"] for name in quantized]
    steps = [fewer / more for more, fewer in itertools.pairwise(lost)]
    return {"smallest_divergence_step": min(steps)} if steps else {}

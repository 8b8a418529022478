"""In llama.cpp's environment: export a model, quantize it, run each file, and serve one.

python -m jobs.llamacpp.measure FOLDER      with FOLDER/asked.json, as jobs.llamacpp.asked writes it
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.launch.exchange import answer
from jobs.launch.folder import report
from jobs.llamacpp.asked import Asked
from jobs.llamacpp.contents import Contents
from jobs.llamacpp.export import check_exportable
from jobs.llamacpp.files import write_files
from jobs.llamacpp.model import LlamaCpp
from jobs.llamacpp.server import serving

MIB = 2**20
PROMPT_TOKENS = 8


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked.

    Returns 0, or the code of `clusterlab.errors`.
    """
    return answer(lambda asked, folder: measure(Asked(**asked), folder), arguments)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Source:
    """The model that is exported, and what all files are measured on."""

    model: Any
    tokenizer: Any
    rows: Any
    """(count, length), int64."""


def measure(asked: Asked, folder: Path) -> dict[str, float]:
    """Metrics of the source, of each type, and of the server; the GGUF files stay in `asked.models`."""
    from jobs.compress.quality import perplexity, save_log_probabilities

    source = _load(asked)
    files = write_files(source.model, source.tokenizer, asked.types, Path(asked.models), num_threads=asked.num_threads)
    measured = {"perplexity_source": perplexity(source.model, source.rows)}
    with tempfile.TemporaryDirectory(prefix="reference-", dir=folder) as reference:
        save_log_probabilities(source.model, source.rows, Path(reference))
        for number, (name, (path, seconds)) in enumerate(files.items(), 1):
            of = _measure_file(asked, source, path, Path(reference)) | {"quantization_seconds": seconds}
            report("measure", number, len(files), **of)
            measured |= {f"{metric}_{name.lower()}": value for metric, value in of.items()}
    return measured | _serve(asked, source, files[asked.served][0], folder)


def _load(asked: Asked) -> _Source:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    from jobs.compress.corpus import Corpus
    from jobs.llm.process import quiet

    quiet()
    check_exportable(AutoConfig.from_pretrained(asked.base))
    return _Source(
        model=AutoModelForCausalLM.from_pretrained(asked.base, dtype=torch.float32).eval(),
        tokenizer=AutoTokenizer.from_pretrained(asked.base),
        rows=Corpus.load(Path(asked.corpus)).evaluation,
    )


def _measure_file(asked: Asked, source: _Source, path: Path, reference: Path) -> dict[str, float]:
    from jobs.compress.quality import kl_divergence, load_log_probabilities, logits_error, perplexity
    from jobs.compress.speed import decode_tokens_per_second, prefill_tokens_per_second

    contents = Contents.of(path)
    model = LlamaCpp(path, context_length=_context_length(asked, source), num_threads=asked.num_threads)
    try:
        return {
            "disk_mib": path.stat().st_size / MIB,
            "bits_per_parameter": contents.bits_per_parameter,
            "fallback_share": contents.fallback_share(path.stem),
            "perplexity": perplexity(model, source.rows),
            "kl_divergence": kl_divergence(model, load_log_probabilities(reference), source.rows),
            "logits_error": logits_error(model, source.model, source.rows),
            "prefill_tokens_per_second": prefill_tokens_per_second(model, source.rows[:1]),
            "decode_tokens_per_second": decode_tokens_per_second(model, source.rows, asked.new_tokens),
        }
    finally:
        model.close()


def _serve(asked: Asked, source: _Source, path: Path, folder: Path) -> dict[str, float]:
    """What the server says against what the same file says when it is called, and the tokens of both sides."""
    texts = _texts(source)
    prompt = source.tokenizer.decode(source.tokenizer(texts[0])["input_ids"][:PROMPT_TOKENS], skip_special_tokens=True)
    length = _context_length(asked, source)
    model = LlamaCpp(path, context_length=length, num_threads=asked.num_threads)
    try:
        same = [model.tokenize(text) == source.tokenizer(text)["input_ids"] for text in texts]
        direct = model.complete(prompt, asked.new_tokens)
    finally:
        model.close()
    options: dict[str, Any] = {"context_length": length, "num_threads": asked.num_threads}
    with serving(path, log=folder / "server.log", **options) as server:
        healthy = server.models() == [asked.served]
        began = time.perf_counter()
        served = server.complete(prompt, asked.new_tokens)
        seconds = time.perf_counter() - began
    said = {"prompt": prompt, "direct": direct, "served": served}
    (folder / "completion.json").write_text(json.dumps(said, indent=2))
    return {
        "tokenizer_agreement": sum(same) / len(same),
        "server_healthy": float(healthy),
        "server_agreement": float(served == direct),
        "server_seconds": seconds,
    }


def _texts(source: _Source) -> list[str]:
    """The rows as texts that begin with a space: llama.cpp puts none before them, tiny-llama's tokenizer does."""
    decoded = source.tokenizer.batch_decode(source.rows, skip_special_tokens=True)
    return [f" {text.strip()}" for text in decoded]


def _context_length(asked: Asked, source: _Source) -> int:
    return int(source.rows.shape[1]) + asked.new_tokens


if __name__ == "__main__":
    sys.exit(main())

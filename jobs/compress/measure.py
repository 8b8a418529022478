"""In a process of a method's environment: quantize, load what was saved, and measure it.

python -m jobs.compress.measure FOLDER      with FOLDER/asked.json, as jobs.compress.sweep writes it
"""

from __future__ import annotations

import importlib
import re
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs.compress.methods import UNQUANTIZED, Inputs, Loaded, Method
from jobs.launch.exchange import answer

CHECKPOINT, REFERENCE = "checkpoint", "reference"
UNITS = {
    "bits_per_parameter": "bits a weight",
    "disk_mib": "MiB on disk",
    "memory_mib": "MiB in memory",
    "perplexity": "perplexity",
    "kl_divergence": "KL, nats a token",
    "prefill_tokens_per_second": "prefill, tokens/s",
    "decode_tokens_per_second": "decode, tokens/s",
    "quantization_seconds": "quantized in s",
    "peak_memory_gib": "peak, GiB",
}
"""What is measured of every method, as the table heads it."""
PREFILL_ROWS = 4
MIB, GIB = 2**20, 2**30


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure one method, and write the checkpoint below the folder.

    Returns 0, or the code of `clusterlab.errors`.
    """
    return answer(measure, arguments)


def measure(asked: Mapping[str, Any], folder: Path) -> dict[str, float]:
    """Quantize by the method that is asked for into `folder/checkpoint`, load that, and return what `UNITS` names."""
    from jobs.compress.corpus import Corpus
    from jobs.compress.quality import perplexity
    from jobs.compress.setting import load_shapes
    from jobs.compress.size import disk_bytes
    from jobs.compress.speed import PROMPT_LENGTH, decode_tokens_per_second, prefill_tokens_per_second

    method = Method(**asked["method"] | {"libraries": tuple(asked["method"]["libraries"])})
    prepared = Path(asked["prepared"])
    corpus = Corpus.load(prepared)
    inputs = Inputs(
        base=Path(asked["base"]),
        shapes=load_shapes(prepared),
        calibration=corpus.calibration,
        group_size=asked["group_size"],
        context_length=max(corpus.evaluation.shape[1], PROMPT_LENGTH + asked["decode_tokens"]),
        seed=asked["seed"],
    )
    seconds, loaded = _quantized(method, inputs, folder / CHECKPOINT)
    model, rows = loaded.model, corpus.evaluation
    return {
        "bits_per_parameter": loaded.bits_per_parameter,
        "disk_mib": disk_bytes(folder / CHECKPOINT) / MIB,
        "memory_mib": loaded.memory_bytes / MIB,
        "perplexity": perplexity(model, rows),
        "kl_divergence": _divergence(method, model, rows[: asked["num_compared"]], asked, folder),
        "prefill_tokens_per_second": prefill_tokens_per_second(model, rows[:PREFILL_ROWS]),
        "decode_tokens_per_second": decode_tokens_per_second(model, rows, asked["decode_tokens"]),
        "quantization_seconds": seconds,
        "peak_memory_gib": _peak_bytes() / GIB,
    }


def _quantized(method: Method, inputs: Inputs, checkpoint: Path) -> tuple[float, Loaded]:
    """Seconds from the model's files to the checkpoint, and the checkpoint loaded."""
    import torch

    for name in (*method.libraries, method.module):
        importlib.import_module(name)
    module = sys.modules[method.module]
    torch.manual_seed(inputs.seed)
    checkpoint.mkdir()
    began = time.perf_counter()
    module.quantize(method, inputs, checkpoint)
    seconds = time.perf_counter() - began
    return seconds, module.load(method, inputs, checkpoint)


def _divergence(method: Method, model: Any, rows: Any, asked: Mapping[str, Any], folder: Path) -> float:
    """To the unquantized model, whose log-probabilities its own measurement writes for the others."""
    from jobs.compress.quality import kl_divergence, load_log_probabilities, save_log_probabilities

    reference = Path(asked["reference"] or folder / REFERENCE)
    if method.name == UNQUANTIZED:
        reference.mkdir()
        save_log_probabilities(model, rows, reference)
    return kl_divergence(model, load_log_probabilities(reference), rows)


def _peak_bytes() -> int:
    """The most that this process held: of the GPU where it computed on one, else of memory.

    `ru_maxrss` begins with what the parent held when it started this process, so it may be the parent's. Linux counts
    the process alone in `VmHWM`.
    """
    import torch

    on_gpu = int(torch.cuda.max_memory_allocated()) if torch.cuda.is_available() else 0
    if on_gpu > 0:
        return on_gpu
    status = Path("/proc/self/status")
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status.read_text(), re.MULTILINE) if status.exists() else None
    return 1024 * int(found.group(1) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


if __name__ == "__main__":
    sys.exit(main())

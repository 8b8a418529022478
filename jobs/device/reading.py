"""Read one case: load a model, write behind a prompt, and say how long it took, in what memory, by what energy."""

from __future__ import annotations

import dataclasses
import importlib
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.device.case import Case
from jobs.device.energy import Counter
from jobs.device.memory import Memory
from jobs.launch.exchange import answer

ROUNDS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """Of one stream, whose text is the likeliest each time."""

    load_seconds: float
    """From the file to the first token."""
    private_mib: float
    """Memory of its own that loading and the first token added."""
    mapped_mib: float
    """Pages of files that they added; of another process, too."""
    tokens_per_second: float
    """As it is written, the median of three."""
    cpu_seconds_per_token: float
    """Of all threads, busy waiting included."""
    joules_per_token: float | None
    """Where the processor counts them for who runs this."""
    tokens: list[int]
    """What it wrote."""


def main(load: Callable[[Case], Any], libraries: Sequence[str]) -> int:
    """Read the case that is asked for; `load` gives a model that is asked as those of transformers are.

    `libraries` are imported before, so that what they take is not laid to the model.

    Returns 0, or the code of `clusterlab.errors`.
    """

    def work(asked: Mapping[str, Any], _folder: Path) -> dict[str, Any]:
        for name in ("torch", *libraries):
            importlib.import_module(name)
        return dataclasses.asdict(read(Case(**asked), load))

    return answer(work)


def read(case: Case, load: Callable[[Case], Any]) -> Reading:
    """Load, and write `new_tokens` three times."""
    before, began = Memory.now(), time.perf_counter()
    model = load(case)
    _write(model, case.prompt, 1)
    loaded, added = time.perf_counter() - began, Memory.now() - before
    counter, cpu = Counter.begin(), time.process_time()
    seconds, tokens = [], list[int]()
    for _ in range(ROUNDS):
        began = time.perf_counter()
        tokens = _write(model, case.prompt, case.new_tokens)
        seconds.append(time.perf_counter() - began)
    computed, joules, written = time.process_time() - cpu, counter.joules(), ROUNDS * case.new_tokens
    return Reading(
        load_seconds=loaded,
        private_mib=added.private,
        mapped_mib=added.mapped,
        tokens_per_second=case.new_tokens / statistics.median(seconds),
        cpu_seconds_per_token=computed / written,
        joules_per_token=None if joules is None else joules / written,
        tokens=tokens,
    )


def _write(model: Any, prompt: list[int], count: int) -> list[int]:
    """Exactly `count` tokens behind a prompt, with a cache."""
    import torch

    ids = torch.tensor([prompt])
    options = {"max_new_tokens": count, "min_new_tokens": count, "do_sample": False, "use_cache": True}
    with torch.inference_mode():
        written = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **options)
    return [int(token) for token in written[0, len(prompt) :]]

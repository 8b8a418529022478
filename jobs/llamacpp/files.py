"""The GGUF files of one model, a type each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs.llamacpp.export import export
from jobs.llamacpp.file_types import UNQUANTIZED, source_type
from jobs.llamacpp.quantize import quantize


def write_files(
    model: Any, tokenizer: Any, types: Sequence[str], folder: Path, *, num_threads: int
) -> dict[str, tuple[Path, float]]:
    """Each type's file, and the seconds that it took to write.

    Raises:
        InputError: the exporter does not know such a model, or a weight is too large for F16.
        StorageError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    exact = source_type(tuple(types))
    files = {}
    # What the others are quantized from comes first.
    for name in sorted(types, key=lambda name: name != exact):
        path, began = folder / f"{name}.gguf", time.perf_counter()
        if name in UNQUANTIZED:
            export(model, tokenizer, path, name)
        else:
            quantize(folder / f"{exact}.gguf", path, name, num_threads=num_threads)
        files[name] = (path, time.perf_counter() - began)
    return {name: files[name] for name in types}

"""Quantize a GGUF file by llama.cpp."""

from __future__ import annotations

import ctypes
import logging
from pathlib import Path
from typing import Any

from clusterlab.errors import ClusterlabError


def quantize(source: Path, target: Path, file_type: str, *, num_threads: int) -> None:
    """Write `target`, the unquantized file `source` in another type.

    Raises:
        ClusterlabError: llama.cpp could not; it has said why on standard error.
    """
    import llama_cpp

    logging.getLogger("llama-cpp-python").setLevel(logging.ERROR)
    parameters: Any = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{file_type}")
    parameters.nthread = num_threads
    code = llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(parameters))
    if code != 0:
        raise ClusterlabError(f"{target}: llama.cpp could not quantize {source} to {file_type}")

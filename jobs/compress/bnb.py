"""LLM.int8() (Dettmers et al., 2022, arXiv:2208.07339) and NF4 (arXiv:2305.14314), by bitsandbytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jobs.compress.methods import Inputs, Loaded, Method
from jobs.compress.pretrained import from_pretrained
from jobs.llm.bases import compute_dtype


def quantize(method: Method, inputs: Inputs, folder: Path) -> None:
    """Quantize while loading, and save before the first forward pass.

    On CPUs with AVX512-BF16 that pass packs 4-bit weights anew, and what is saved later cannot be read back.
    """
    from_pretrained(inputs.base, quantization_config=_config(method)).save_pretrained(folder)


def load(method: Method, inputs: Inputs, folder: Path) -> Loaded:
    """Load it with transformers."""
    del method
    return Loaded.of(from_pretrained(folder), inputs.shapes)


def _config(method: Method) -> Any:
    from transformers import BitsAndBytesConfig

    if method.bits == 8:
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=method.settings["double_quantization"],
        bnb_4bit_compute_dtype=compute_dtype(),
    )

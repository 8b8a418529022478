"""The model as it is: in bfloat16 on a GPU, in float32 on a CPU."""

from __future__ import annotations

from pathlib import Path

from jobs.compress.methods import Inputs, Loaded, Method
from jobs.llm.bases import Base


def quantize(method: Method, inputs: Inputs, folder: Path) -> None:
    """Save the model anew, in the type that it is measured in."""
    del method
    Base(name=str(inputs.base)).load(quantized=False).save_pretrained(folder)


def load(method: Method, inputs: Inputs, folder: Path) -> Loaded:
    """Load it with transformers."""
    del method
    return Loaded.of(Base(name=str(folder)).load(quantized=False), inputs.shapes)

"""The forms in which a model is asked: the methods that need no environment of their own, and RTN at 2 bits."""

from __future__ import annotations

import dataclasses
import importlib
import tempfile
from pathlib import Path

from jobs.compress.methods import METHODS, UNQUANTIZED, Inputs, Loaded, Method

_RTN_2 = dataclasses.replace(METHODS["rtn_3"], name="rtn_2", bits=2)
FORMS = {name: method for name, method in METHODS.items() if method.environment == "train"} | {_RTN_2.name: _RTN_2}


def loaded(method: Method, inputs: Inputs) -> Loaded:
    """The model in this form, quantized now; nothing of it stays on the disk."""
    from jobs.llm.bases import Base

    if method.name == UNQUANTIZED:
        return Loaded.of(Base(name=str(inputs.base)).load(quantized=False), inputs.shapes)
    module = importlib.import_module(method.module)
    with tempfile.TemporaryDirectory() as folder:
        module.quantize(method, inputs, Path(folder))
        form: Loaded = module.load(method, inputs, Path(folder))
    return form

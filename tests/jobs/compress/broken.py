"""Methods that do not do well, for tests of the sweep."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from jobs.compress import unquantized
from jobs.compress.methods import Inputs, Loaded, Method


def quantize(method: Method, inputs: Inputs, folder: Path) -> None:
    """Note that it was called, and then do what the settings say."""
    with Path(method.settings["calls"]).open("a") as calls:
        calls.write(f"{method.name}\n")
    match method.settings["how"]:
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "raise":
            raise RuntimeError("no kernel for 5 bits")
        case "sleep":
            time.sleep(600)
    unquantized.quantize(method, inputs, folder)


def load(method: Method, inputs: Inputs, folder: Path) -> Loaded:
    """As the unquantized model."""
    return unquantized.load(method, inputs, folder)

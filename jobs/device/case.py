"""One engine with one file of weights and one number of threads, read in a process of its own."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.launch import exchange
from jobs.launch.environments import OWN
from jobs.llamacpp.asked import ENVIRONMENT

LLAMACPP, PYTORCH = "llamacpp", "pytorch"
MODULES = {LLAMACPP: ("jobs.device.by_llamacpp", ENVIRONMENT), PYTORCH: ("jobs.device.by_pytorch", OWN)}
"""What reads a case of each engine, and the environment that it runs in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What a process is asked to read."""

    engine: str
    model: str
    """A GGUF file for llama.cpp, a checkpoint's folder for PyTorch."""
    form: str
    """Of the weights: a type of GGUF, or a dtype of torch."""
    num_threads: int
    mapped: bool
    """llama.cpp: whether the file is mapped into memory, or copied."""
    prompt: list[int]
    """Token ids."""
    new_tokens: int

    @property
    def name(self) -> str:
        """Of its files, such as `q8_0_t1`."""
        return name_of(self.form, self.num_threads, mapped=self.mapped)

    def read(self, folder: Path, seconds: float) -> dict[str, Any]:
        """What a process of the engine's environment finds, as a `Reading` in a dict.

        Raises:
            MissingError: there is no such environment here.
            ProcessFailedError: it failed or took longer than `seconds`, with what it said last.
        """
        module, environment = MODULES[self.engine]
        process: dict[str, Any] = {"environment": environment, "num_threads": self.num_threads, "seconds": seconds}
        return exchange.ask(module, dataclasses.asdict(self), folder, **process)


def name_of(form: str, num_threads: int, *, mapped: bool = True) -> str:
    """The name of a case; no form of the one engine is a form of the other."""
    return f"{form.lower()}_t{num_threads}{'' if mapped else '_copied'}"

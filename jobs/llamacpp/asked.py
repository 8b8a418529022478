"""What a process of llama.cpp's environment is asked to do, and what it answers."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.launch import exchange

ENVIRONMENT = "gguf"


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One export with all that follows; folders are absolute."""

    base: str
    """The folder of the model and its tokenizer."""
    corpus: str
    """The folder with the rows of text, as `Corpus.save` wrote them."""
    models: str
    """Where the GGUF files go."""
    types: list[str]
    served: str
    """The type that is served."""
    new_tokens: int
    """Tokens that are written to take the time, and in the completion."""
    num_threads: int


def ask(asked: Asked, folder: Path) -> dict[str, float]:
    """Run `jobs.llamacpp.measure` in llama.cpp's environment, and return its metrics; its log stays in `folder`.

    Raises:
        MissingError: there is no such environment here.
        ProcessFailedError: it failed, with what it said last.
    """
    process: dict[str, Any] = {"environment": ENVIRONMENT, "num_threads": asked.num_threads}
    return exchange.ask("jobs.llamacpp.measure", dataclasses.asdict(asked), folder, **process)

"""What a process of llama.cpp's environment is asked to do, and what it answers."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from jobs.compress.environments import run_module

ENVIRONMENT = "gguf"
_ASKED, _ANSWER, _LOG = "asked.json", "answer.json", "llamacpp.log"


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

    def save(self, folder: Path) -> None:
        """For the process that is asked."""
        (folder / _ASKED).write_text(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def load(cls, folder: Path) -> Asked:
        """In the process that is asked."""
        return cls(**json.loads((folder / _ASKED).read_text()))


def answer(folder: Path, metrics: dict[str, float]) -> None:
    """In the process that was asked, at its end."""
    (folder / _ANSWER).write_text(json.dumps(metrics))


def ask(asked: Asked, folder: Path) -> dict[str, float]:
    """Run `jobs.llamacpp.measure` in llama.cpp's environment, and return its metrics; its log stays in `folder`.

    Raises:
        MissingError: there is no such environment here.
        ProcessFailedError: it failed, with what it said last.
    """
    asked.save(folder)
    for name in (_ANSWER, _LOG):
        (folder / name).unlink(missing_ok=True)
    run_module(
        "jobs.llamacpp.measure", folder, environment=ENVIRONMENT, log=folder / _LOG, num_threads=asked.num_threads
    )
    metrics: dict[str, float] = json.loads((folder / _ANSWER).read_text())
    return metrics

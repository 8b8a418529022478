"""What a process of llama.cpp's environment is asked to do, and what it answers."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from clusterlab.errors import ClusterlabError
from clusterlab.local.keeper import keep, release
from jobs.compress.environments import ROOT, python_of

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

    Nothing of it outlives this process.

    Raises:
        MissingError: there is no such environment here.
        ClusterlabError: it failed, with what it said last.
    """
    python = python_of(ENVIRONMENT)
    asked.save(folder)
    (folder / _ANSWER).unlink(missing_ok=True)
    environment = os.environ | {"OMP_NUM_THREADS": str(asked.num_threads), "PYTHONPATH": str(ROOT)}
    with (folder / _LOG).open("w+b") as log:
        keeper = keep([python, "-m", "jobs.llamacpp.measure", str(folder)], cwd=ROOT, env=environment, output=log)
        try:
            code = keeper.wait()
        finally:
            release(keeper)
        if code != 0:
            error = ClusterlabError(_last_line(log) or f"llama.cpp's process ended with {code}; {folder / _LOG}")
            error.exit_code = code if code in (2, 3, 4, 5) else ClusterlabError.exit_code
            raise error
    metrics: dict[str, float] = json.loads((folder / _ANSWER).read_text())
    return metrics


def _last_line(log: IO[bytes]) -> str:
    log.seek(0)
    said = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    return said[-1] if said else ""

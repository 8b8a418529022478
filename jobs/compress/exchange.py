"""What a process of another environment is asked, and what it answers: two JSON files in a folder of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.compress.environments import run_module

_ASKED, _ANSWER, LOG = "asked.json", "answer.json", "log"


def ask(
    module: str,
    asked: Mapping[str, Any],
    folder: Path,
    *,
    environment: str,
    num_threads: int,
    seconds: float | None = None,
) -> dict[str, Any]:
    """Run a module in an environment, and return what it answers; its log stays in `folder`, as `LOG`.

    Raises:
        MissingError: there is no such environment here.
        ProcessFailedError: it failed or took too long, with what it said last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in (_ANSWER, LOG):
        (folder / name).unlink(missing_ok=True)
    (folder / _ASKED).write_text(json.dumps(asked))
    run_module(module, folder, environment=environment, log=folder / LOG, num_threads=num_threads, seconds=seconds)
    found: dict[str, Any] = json.loads((folder / _ANSWER).read_text())
    return found


def read_asked(folder: Path) -> dict[str, Any]:
    """In the process that is asked."""
    asked: dict[str, Any] = json.loads((folder / _ASKED).read_text())
    return asked


def write_answer(folder: Path, values: Mapping[str, Any]) -> None:
    """In the process that was asked, at its end."""
    (folder / _ANSWER).write_text(json.dumps(values))

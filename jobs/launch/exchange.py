"""Ask a module in a process of an environment: what it is asked and what it answers are JSON files in a folder.

What asks calls `ask`; the `main` of the module that is asked is `answer` with the work that it does.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from clusterlab.errors import ClusterlabError
from jobs.launch.environments import run_module

ASKED, LOG = "asked.json", "log"
_ANSWER = "answer.json"


def ask(
    module: str,
    asked: Mapping[str, Any],
    folder: Path,
    *,
    environment: str,
    num_threads: int,
    seconds: float | None = None,
    log: Path | None = None,
) -> dict[str, Any]:
    """Run a module in an environment, and return what it answers.

    What it prints is added to `log`; without one it stays in `folder`, as `LOG`, and nothing of an earlier try with it.

    Raises:
        MissingError: there is no such environment here.
        ProcessFailedError: it failed or took too long, with what it said last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _ANSWER).unlink(missing_ok=True)
    if log is None:
        log = folder / LOG
        log.unlink(missing_ok=True)
    (folder / ASKED).write_text(json.dumps(asked))
    run_module(module, folder, environment=environment, log=log, num_threads=num_threads, seconds=seconds)
    return read_answer(folder)


def read_answer(folder: Path) -> dict[str, Any]:
    """What was answered in a folder."""
    found: dict[str, Any] = json.loads((folder / _ANSWER).read_text())
    return found


def answer(work: Callable[[dict[str, Any], Path], Mapping[str, Any]], arguments: Sequence[str] | None = None) -> int:
    """In the process that is asked, with the folder as its argument: do the work, and answer with what it returns.

    `work` is called with what is asked and the folder; an error of a user's is the last line of standard error.

    Returns 0, or the code of `clusterlab.errors`.
    """
    folder = Path((sys.argv[1:] if arguments is None else arguments)[0])
    asked: dict[str, Any] = json.loads((folder / ASKED).read_text())
    try:
        found = work(asked, folder)
    except ClusterlabError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    (folder / _ANSWER).write_text(json.dumps(found))
    return 0

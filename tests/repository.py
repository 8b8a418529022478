"""A copy of the repository with one small job more, for the tests to run and to spoil."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
MARK = "CLUSTERLAB_TEST_MARK"

ECHO = '''"""Say a word a few times, from where the last attempt ended."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from clusterlab.config import Scale, by_scale
from clusterlab.errors import InputError, Problem
from jobs.launch.folder import report, run_folder


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    scale: Scale
    steps: int = by_scale(tiny=3, small=4, single=5, full=6)
    pause_seconds: float = 0.0
    word: str = "hello"
    ending: str = ""
    """How it ends: `value`, `input`, `text`, `nan`, or well."""


def main(config: Config) -> dict[str, float]:
    print("in", *sorted(os.listdir()))
    done = run_folder() / "checkpoints" / "done"
    done.parent.mkdir(exist_ok=True)
    first = len(done.read_text()) if done.exists() else 0
    for step in range(first + 1, config.steps + 1):
        print(config.word, step)
        report("echo", step, config.steps, loss=1 / step, tokens_per_second=1000)
        with done.open("a") as file:
            file.write(".")
        time.sleep(config.pause_seconds)
    return _end(config, first)


def _end(config: Config, first: int) -> dict[str, float]:
    if config.ending == "value":
        raise ValueError("a defect")
    if config.ending == "input":
        raise InputError(Problem(path="WORD", message="nobody says that"))
    values = {"text": "many", "nan": float("nan")}
    return {"said": values.get(config.ending, float(config.steps)), "first": first}
'''

LAB = """# Echo: say a word
#
# Claim: words are said.

name: echo

resources:
  cpus: 2+
  memory: 4+
  autostop: {idle_minutes: 5, down: true}
  labels: {course: llm-2026, lab: echo}

envs:
  SCALE: tiny

run: |
  python -m jobs.submit echo
"""

EXPECTED = """goal: hear it
egress_gb: 0
scales:
  tiny:
    machine: local
    hours: {low: 0.01, expected: 0.01, high: 0.02}
    budget_usd: 0
    expect: {}
"""


def copy_repository(folder: Path) -> Path:
    """Copy what a job needs to `folder`, and add `jobs/echo.py` and `labs/echo.yaml`."""
    for name in ("jobs", "clusterlab"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "images").mkdir()
    shutil.copy(ROOT / "images" / "train.lock", folder / "images")
    (folder / "labs").mkdir()
    (folder / "jobs" / "echo.py").write_text(ECHO)
    (folder / "labs" / "echo.yaml").write_text(LAB)
    (folder / "labs" / "echo.expected.yaml").write_text(EXPECTED)
    return folder


def wait_until(condition: Callable[[], object], *, seconds: float = 300) -> None:
    """Wait for something that happens elsewhere."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def marked(mark: str) -> list[int]:
    """The living processes that inherited `MARK=mark`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"{MARK}={mark}".encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
    return found


@contextmanager
def no_process_left(mark: str) -> Iterator[dict[str, str]]:
    """An environment with a mark; what is left of its processes afterwards is ended, and fails the test."""
    yield dict(os.environ) | {MARK: mark}
    left = marked(mark)
    names = [Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ") for pid in left]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not names

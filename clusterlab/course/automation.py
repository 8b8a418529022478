"""Pulumi, as `clusterlab class` reaches it: a process of its own, since only `infra/` may import it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType

from clusterlab import errors
from clusterlab.course.events import Event, Failure, from_line
from clusterlab.errors import ClusterlabError, InputError, MissingError, Problem

MODULE = "infra.automation"
INSTALL = "make .venv/sky/installed"
INTERRUPTED = "KeyboardInterrupt"


def ask(verb: str, file: Path, root: Path, *, install: bool = False, keep: Iterable[str] = ()) -> Iterator[Event]:
    """Have one thing done with the stack of a class, and yield what is told of it.

    The process has a group of its own: Ctrl-C reaches it once for each time that it is typed, and its end, in which
    Pulumi finishes what is under way and writes its state, is waited for.

    Raises:
        ClusterlabError: it failed; of the class that it says.
        KeyboardInterrupt: somebody interrupted it, and it has ended.
    """
    options = [*(["--install"] if install else []), *(f"--keep={name}" for name in keep)]
    command = [sys.executable, "-m", MODULE, verb, str(file), *options]
    with subprocess.Popen(
        command, cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None  # noqa: S101 (for the type checker)
        failure: Failure | None = None
        with _passed_on(process.pid) as interrupts:
            for line in process.stdout:
                event = from_line(line)
                if isinstance(event, Failure):
                    failure = event
                else:
                    yield event
            code = process.wait()
    if interrupts:
        raise KeyboardInterrupt
    if failure:
        raise _error(failure)
    if code:
        raise ClusterlabError(f"{MODULE} {verb}: ended with {code}; what it said is above")


@contextlib.contextmanager
def _passed_on(group: int) -> Iterator[list[int]]:
    """Hand Ctrl-C on to a process group, the first to end gracefully and the next to end at once."""
    interrupts: list[int] = []

    def hand_on(number: int, frame: FrameType | None) -> None:
        del frame
        interrupts.append(number)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGINT)

    before = signal.signal(signal.SIGINT, hand_on)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)


def _error(failure: Failure) -> BaseException:
    """What the process raised, as if it had been raised here."""
    if failure.kind == INTERRUPTED:
        return KeyboardInterrupt()
    kind = getattr(errors, failure.kind, ClusterlabError)
    if kind is InputError:
        return InputError(Problem(path="", message=failure.message))
    return kind(failure.message) if issubclass(kind, ClusterlabError) else ClusterlabError(failure.message)


def check_installed() -> None:
    """See to it that Pulumi's package is there, without importing it.

    Raises:
        MissingError: it is not.
    """
    import importlib.util

    if importlib.util.find_spec("pulumi") is None:
        raise MissingError(f"pulumi: not installed; `{INSTALL}` installs it, and `.venv/sky/bin/clusterlab` uses it")

"""Run a command so that nothing of it outlives whoever asked for it.

python -m clusterlab.local.keeper --grace 10 --remove /tmp/scratch -- bash -c 'sleep 1000'

The keeper is a process of its own between the two. It adopts every descendant of the command whose parent ends (Linux),
so it finds also those that went into a session of their own, and it ends them all when the command ends, or when its
standard input is closed. The system closes that when its owner dies, however it dies.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO

POLL_SECONDS = 0.05
_SET_CHILD_SUBREAPER = 36
"""`PR_SET_CHILD_SUBREAPER` of Linux's prctl(2)."""


def keep(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    output: IO[bytes],
    grace_seconds: float = 0,
    drain: bool = False,
    remove: Iterable[Path] = (),
) -> subprocess.Popen[bytes]:
    """Start a command under a keeper, in a session of its own, so that a Ctrl-C at the terminal does not reach it.

    The command's standard output and error go to `output`. `remove` names folders that are deleted after it. With
    `drain` the command ends by a SIGTERM to it alone, so that a server's workers answer what was asked.

    Returns the keeper, whose exit status is the command's.
    """
    options = [
        f"--grace={grace_seconds}",
        *(["--drain"] if drain else []),
        *(f"--remove={folder}" for folder in remove),
    ]
    return subprocess.Popen(
        [sys.executable, "-I", __file__, *options, "--", *command],
        cwd=cwd,
        env=env,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def release(keeper: subprocess.Popen[bytes]) -> int:
    """Ask the command to end if it still runs, wait for as long as its grace, then end all that is left of it."""
    if keeper.stdin is not None:
        keeper.stdin.close()
    return keeper.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Keep one command; a SIGTERM ends it without grace."""
    parser = argparse.ArgumentParser(prog="clusterlab.local.keeper")
    parser.add_argument("--grace", type=float, default=0, help="seconds between the interrupt and the end")
    parser.add_argument("--drain", action="store_true", help="SIGTERM to the command, not SIGINT to its group")
    parser.add_argument("--remove", type=Path, action="append", default=[], help="a folder to delete at the end")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _at_once)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _adopt_orphans()
    try:
        return _run(options.command, options.grace, drain=options.drain)
    except SystemExit:
        return 128 + signal.SIGTERM
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _end_descendants()
        for folder in options.remove:
            shutil.rmtree(folder, ignore_errors=True)


def _at_once(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit


def _adopt_orphans() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _run(command: Sequence[str], grace_seconds: float, *, drain: bool) -> int:
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_heed_interrupts)
    while child.poll() is None and not _owner_gone(POLL_SECONDS):
        pass
    if child.poll() is None and grace_seconds > 0:
        if drain:
            child.terminate()
        else:
            os.killpg(child.pid, signal.SIGINT)
        deadline = time.monotonic() + grace_seconds
        while child.poll() is None and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
    if child.returncode is None:
        return 128 + signal.SIGKILL
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _heed_interrupts() -> None:
    # An ignored signal stays ignored through exec, and Python would then not raise KeyboardInterrupt.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _owner_gone(seconds: float) -> bool:
    readable, _, _ = select.select([sys.stdin], [], [], seconds)
    return bool(readable) and not os.read(sys.stdin.fileno(), 1)


def _end_descendants() -> None:
    """Kill until none is left: one may be born while another dies."""
    while True:
        for pid in descendants(os.getpid()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            return
        time.sleep(0.01)


def descendants(pid: int) -> Iterator[int]:
    """The processes that a process has started, those that they have started, and so on."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents():
        children.setdefault(parent, []).append(child)
    waiting = [pid]
    while waiting:
        found = children.get(waiting.pop(), [])
        yield from found
        waiting += found


def _parents() -> Iterator[tuple[int, int]]:
    """Every process with its parent."""
    if sys.platform != "linux":
        listing = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=True)
        yield from ((int(pid), int(parent)) for pid, parent in map(str.split, listing.stdout.splitlines()))
        return
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name in parentheses may hold anything, so read from behind its end.
            yield int(path.parent.name), int(path.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue


if __name__ == "__main__":
    sys.exit(main())

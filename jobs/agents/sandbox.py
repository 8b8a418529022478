"""A sandbox for Python code by bubblewrap: no network, no files but a small scratch, one process, and limits.

Outside it is the user who calls, without any capability; inside it is nobody, in namespaces of its own.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

from clusterlab.errors import MissingError
from jobs.agents.syscalls import seccomp_filter

PROGRAM = "bwrap"
INSTALL = "make sandbox"
NOBODY = "65534"
SCRATCH = "/scratch"
MIB = 2**20
Value = str | int | float | bool | None
"""What code gets beside itself: data, never code."""


class End(StrEnum):
    """How a call ended."""

    DONE = "done"
    FAILED = "failed"
    """The code raised something; what it said is in the output."""
    TIME = "time"
    """It was killed at the limit of seconds."""
    OUTPUT = "output"
    """It was killed because it said too much."""
    KILLED = "killed"
    """The kernel ended it: too much CPU time, or a crash."""


STOPPED = (End.TIME, End.OUTPUT, End.KILLED)
"""Not by the code itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Of one call."""

    seconds: float = 10.0
    """On the wall."""
    cpu_seconds: int = 5
    memory_mib: int = 512
    """Address space."""
    scratch_mib: int = 16
    output_bytes: int = 4096
    open_files: int = 32

    @property
    def of_process(self) -> dict[str, int]:
        """By the names of `resource`."""
        return {
            "RLIMIT_AS": self.memory_mib * MIB,
            "RLIMIT_CPU": self.cpu_seconds,
            "RLIMIT_FSIZE": self.scratch_mib * MIB,
            "RLIMIT_NOFILE": self.open_files,
            "RLIMIT_CORE": 0,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of a call."""

    end: End
    output: str
    """Standard output and error, together."""
    seconds: float

    @property
    def stopped(self) -> bool:
        """Whether the sandbox ended it, and not the code itself."""
        return self.end in STOPPED


@dataclass(frozen=True, kw_only=True, slots=True)
class Sandbox:
    """Runs code, each call in a new sandbox, of which nothing is left."""

    limits: Limits
    program: str = PROGRAM

    def require(self) -> None:
        """See that it works here.

        Raises:
            MissingError: bubblewrap is not installed, or may make no namespaces; says what to do.
        """
        if shutil.which(self.program) is None:
            raise MissingError(f"{self.program}: not installed; `{INSTALL}` installs bubblewrap")
        said = self.run("print(6 * 7)")
        if said.output != "42\n":
            reason = said.output.strip() or said.end
            raise MissingError(f"{self.program}: makes no sandbox here: {reason}; `{INSTALL}` allows it, as root")

    def run(self, code: str, inputs: Mapping[str, Value] | None = None) -> Outcome:
        """Run code, to which `inputs` is a dict of values, and wait for its end or that of its limits."""
        asked = {"code": code, "inputs": dict(inputs or {}), "limits": self.limits.of_process}
        begun = time.monotonic()
        with _filter() as descriptor:
            process = subprocess.Popen(
                [*self._command(descriptor), *_interpreter()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={},
                cwd="/",
                pass_fds=(descriptor,),
                start_new_session=True,
            )
        content = json.dumps(asked, ensure_ascii=False).encode(errors="surrogatepass")
        output, end = self._watch(process, content, begun + self.limits.seconds)
        text = output[: self.limits.output_bytes].decode(errors="replace")
        return Outcome(end=end, output=text, seconds=time.monotonic() - begun)

    def _command(self, descriptor: int) -> list[str]:
        own = (
            *("--unshare-all", "--unshare-user", "--disable-userns", "--uid", NOBODY, "--gid", NOBODY),
            *("--cap-drop", "ALL", "--new-session", "--die-with-parent", "--hostname", "sandbox", "--clearenv"),
            *("--setenv", "HOME", SCRATCH, "--setenv", "LANG", "C.UTF-8", "--setenv", "TMPDIR", SCRATCH),
        )
        # Neither /proc nor /etc is there, nor a device that keeps anything.
        files = (
            *("--ro-bind", "/usr", "/usr"),
            *_links(),
            *_prefix(),
            *("--dev-bind", "/dev/null", "/dev/null", "--dev-bind", "/dev/urandom", "/dev/urandom"),
            *("--size", str(self.limits.scratch_mib * MIB), "--tmpfs", SCRATCH, "--chdir", SCRATCH),
            *("--remount-ro", "/"),
        )
        program = shutil.which(self.program) or self.program
        return [program, *own, *files, "--seccomp", str(descriptor)]

    def _watch(self, process: subprocess.Popen[bytes], asked: bytes, deadline: float) -> tuple[bytes, End]:
        """What it says until it ends, or is ended."""
        stdin, stdout = process.stdin, process.stdout
        if stdin is None or stdout is None:
            raise AssertionError
        output, stopped = b"", None
        with process, selectors.DefaultSelector() as ready:
            _send(stdin, asked)
            ready.register(stdout, selectors.EVENT_READ)
            while stopped is None:
                if not ready.select(max(0, deadline - time.monotonic())):
                    stopped = End.TIME
                    break
                part = os.read(stdout.fileno(), 65536)
                if not part:
                    break
                output += part
                stopped = End.OUTPUT if len(output) > self.limits.output_bytes else None
            stopped = stopped or _left(process, deadline)
            if stopped is not None:
                # What is inside dies with it, as the kernel sends what `--die-with-parent` asks for.
                os.killpg(process.pid, signal.SIGKILL)
                # The output ends when the last that holds it is gone: the first process of the namespace does.
                while os.read(stdout.fileno(), 65536):
                    pass
            code = process.wait()
        return output, stopped or _end(code)


def _left(process: subprocess.Popen[bytes], deadline: float) -> End | None:
    """Wait for one that says nothing more; code can close its output and stay."""
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return End.TIME
    return None


def _end(code: int) -> End:
    """Of a process that was not stopped; bubblewrap gives 128 and the number of a signal."""
    if code == 0:
        return End.DONE
    return End.KILLED if code < 0 or code > 128 else End.FAILED


def _send(stream: IO[bytes], content: bytes) -> None:
    """Give it its code; one that ended before it read says why by itself."""
    with suppress(BrokenPipeError), stream:
        stream.write(content)


@contextmanager
def _filter() -> Iterator[int]:
    """A descriptor from which the program of the seccomp filter is read."""
    program = seccomp_filter()
    reading, writing = os.pipe()
    try:
        os.write(writing, program)
        os.close(writing)
        yield reading
    finally:
        os.close(reading)


def _links() -> Iterator[str]:
    """What stands beside /usr: links into it on a merged system, folders elsewhere."""
    for name in ("bin", "lib", "lib64"):
        path = Path("/", name)
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), str(path))
        elif path.exists():
            yield from ("--ro-bind", str(path), str(path))


def _prefix() -> Sequence[str]:
    """The folder of the interpreter, where it is not the system's. Environments, with what they hold, stay outside."""
    prefix = sys.base_prefix
    return () if Path(prefix).is_relative_to("/usr") else ("--ro-bind", prefix, prefix)


def _interpreter() -> list[str]:
    """Isolated, without site-packages, with the program that sets the limits."""
    python = Path(sys.executable).resolve()
    return [str(python), "-I", "-S", "-B", "-c", Path(__file__).with_name("inside.py").read_text()]

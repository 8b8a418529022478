"""The real SkyPilot, with a home of its own: its command, its API server, its configuration."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from clusterlab.errors import MissingError
from clusterlab.rehearsal.steps import StepError

COMMAND_SECONDS = 3600.0
"""How long a command may take at most; a launch has its whole job in it."""
ERROR_LINES = 12
"""How many lines of what SkyPilot said a failure shows."""
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
SERVER_NICE = "-15"
"""Of the API server's session: a share of the processors as of twenty-eight others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SkyPilot:
    """One home of SkyPilot, and the repository that its commands are run from."""

    home: Path
    root: Path
    log: Path
    """Where all that its commands say goes."""
    variables: Mapping[str, str]
    """What its processes find in their environment."""

    def configure(self, config: Mapping[str, object]) -> None:
        """Write its user's configuration."""
        folder = self.home / ".sky"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.yaml").write_text(yaml.safe_dump(dict(config)))

    def run(self, *arguments: str, seconds: float = COMMAND_SECONDS) -> str:
        """Run a `sky` command to its end, and return what it said.

        Raises:
            StepError: it ended with an error, or not in so many seconds.
        """
        process = self.start(*arguments)
        try:
            text, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            text, _ = process.communicate()
            self._note(arguments, text)
            said = "\n".join(_last_lines(text))
            command = f"`sky {' '.join(arguments)}`"
            raise StepError(f"{command} did not end within {seconds:.0f} s:\n{said}\nall: {self.log}") from None
        self._note(arguments, text)
        if process.returncode:
            said = "\n".join(_last_lines(text))
            raise StepError(f"`sky {' '.join(arguments)}` ended with {process.returncode}:\n{said}\nall: {self.log}")
        return text

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a `sky` command; standard error comes with standard output."""
        return subprocess.Popen(
            [program(), *arguments],
            cwd=self.root,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def go_first(self) -> None:
        """Let the API server go before the machines.

        Linux gives every session an equal share of the processors, where it groups by session. The API server is one,
        each machine has a dozen, and a client takes a server for dead that is silent for ten seconds.
        """
        for pid in processes("sky.server.server"):
            group = Path(f"/proc/{pid}/autogroup")
            if group.exists():
                group.write_text(SERVER_NICE)

    def fetch(self, cluster: str, source: str, target: Path, *, address: str | None = None) -> None:
        """Copy a folder from the head of a cluster, or from its machine at an address, as `rsync` does.

        Raises:
            StepError: it could not be copied.
        """
        target.mkdir(parents=True, exist_ok=True)
        shell = f"ssh -F {self.home}/.ssh/config -o LogLevel=ERROR"
        if address is not None:
            shell += f" -o HostName={address}"
        command = ["rsync", "--archive", f"--rsh={shell}", f"{cluster}:{source}/", f"{target}/"]
        result = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=False)
        if result.returncode:
            raise StepError(f"{cluster}:{source}: could not be fetched: {result.stderr.strip()[-300:]}")

    def environment(self) -> dict[str, str]:
        """The environment of its processes: nothing of this process's that belongs to another SkyPilot or cloud."""
        kept = {name: os.environ[name] for name in ("LANG", "TERM") if name in os.environ}
        path = f"{Path(program()).parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return (
            kept
            | {"HOME": str(self.home), "PATH": path, "SKYPILOT_DISABLE_USAGE_COLLECTION": "1", "COLUMNS": "200"}
            | dict(self.variables)
        )

    def _note(self, arguments: Sequence[str], text: str) -> None:
        with self.log.open("a") as log:
            log.write(f"$ sky {' '.join(arguments)}\n{text}\n")


def program() -> str:
    """SkyPilot's command, beside this Python or on PATH.

    Raises:
        MissingError: it is not installed.
    """
    beside = Path(sys.executable).with_name("sky")
    found = str(beside) if beside.exists() else shutil.which("sky")
    if found is None:
        raise MissingError(
            "sky: SkyPilot is not installed beside this clusterlab; `make check` makes .venv/sky with both"
        )
    return found


def processes(word: str) -> list[int]:
    """SkyPilot's processes here, and not in one of the machines, that have a word in their command line."""
    here, python, found = Path("/proc/self/ns/pid").readlink(), Path("/proc/self/exe").readlink(), []
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        # The first process and this one are the rehearsal's; all other Pythons are SkyPilot's, whatever they say.
        if pid in (1, os.getpid()):
            continue
        # Of one that is ending, the kernel also says that it may not be looked at.
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            same = (folder / "ns/pid").readlink() == here and (folder / "exe").readlink() == python
            if same and word in (folder / "cmdline").read_text(errors="replace"):
                found.append(pid)
    return found


def keep_wheel(home: Path, wheels: Path) -> None:
    """Let SkyPilot keep the wheel that it builds of itself for its nodes from one home to the next."""
    wheels.mkdir(parents=True, exist_ok=True)
    (home / ".sky").mkdir(parents=True, exist_ok=True)
    (home / ".sky" / "wheels").symlink_to(wheels)


def _last_lines(text: str) -> list[str]:
    lines = [line for line in COLOUR.sub("", text).splitlines() if line.strip()]
    return lines[-ERROR_LINES:]

"""What the tests need that launch for real: root, Debian's packages, and a lab that is over in seconds."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clusterlab.rehearsal import needs, stage
from tests.repository import ROOT, copy_repository

PORTS = {22, 80, 443, 5000, 6817, 6818, 6819}
"""Where something listens in a rehearsal: sshd, the emulated cloud, Slurm. SkyPilot's ports are of those that anybody
may be given, so its API server is looked for by its command line."""
OTHERS = "clusterlab-"
"""How the network namespaces of other tests begin, which may run beside these."""
LAB = """# Echo: say a word
#
# Claim: words are said.

name: echo

workdir: .

resources:
  accelerators: {L4: 1, A10G: 1}
  cpus: 4+
  memory: 16+
  autostop: {idle_minutes: 5, down: true}
  labels: {course: llm-2026, lab: echo}

envs:
  SCALE: tiny
  PAUSE_SECONDS: 0

setup: |
  make env

run: |
  . .venv/train/bin/activate
  python -m jobs.submit echo
"""


@pytest.fixture(scope="session", autouse=True)
def able() -> None:
    """Skip where this machine cannot, and say why; a test of the whole project must not."""
    folder = stage.folder()
    folder.mkdir(parents=True, exist_ok=True)
    problems = list(needs.missing(folder))
    if problems:
        pytest.skip("; ".join(problems))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy of the repository with the lab `echo`, fit to be launched."""
    folder = copy_repository(tmp_path / "repository")
    shutil.copy(ROOT / "Makefile", folder)
    for name in ("clusters", "infra"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "images", folder / "images", dirs_exist_ok=True)
    (folder / ".venv").mkdir()
    (folder / ".venv" / "train").symlink_to(ROOT / ".venv/train")
    (folder / ".gitignore").write_text(".venv/\nrehearsals/\nruns/\n")
    if (ROOT / ".sky.yaml").exists():
        shutil.copy(ROOT / ".sky.yaml", folder)
    (folder / "labs" / "echo.yaml").write_text(LAB)
    return folder


@pytest.fixture
def rehearse(repository: Path) -> Callable[..., tuple[int, dict[str, Any], str]]:
    """Run `clusterlab rehearse` with arguments: its exit code, its rehearsal.json, and what it said."""

    def play(*arguments: str) -> tuple[int, dict[str, Any], str]:
        out = repository / "out"
        command = [sys.executable, "-m", "clusterlab.cli", "rehearse", *arguments, "--out", str(out)]
        result = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
        path = out / "rehearsal.json"
        record = json.loads(path.read_text()) if path.exists() else {}
        log = out / "sky.log"
        said = result.stdout + result.stderr + (log.read_text()[-5000:] if log.exists() else "")
        return result.returncode, record, said

    return play


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Every test leaves the machine as it was: its processes, mounts, network namespaces, ports and files."""
    before = _machine()
    yield
    assert _machine() == before


def _machine() -> dict[str, object]:
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if "/run/netns" not in line]
    names = [path.name for path in Path("/run/netns").iterdir()] if Path("/run/netns").exists() else []
    listening = subprocess.run(["ss", "-Hltn"], capture_output=True, text=True, check=True).stdout
    addresses = [line.split()[3] for line in listening.splitlines()]
    stages = stage.folder() / "stages"
    return {
        "mounts": sorted(mounts),
        "ports": sorted(address for address in addresses if int(address.rpartition(":")[2]) in PORTS),
        "links": subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout.count("\n"),
        "names": sorted(name for name in names if not name.startswith(OTHERS)),
        "stages": sorted(path.name for path in stages.iterdir()) if stages.exists() else [],
        "sky": _commands(r"sky\.server.* --port=46580") + _commands("clusterlab.rehearsal"),
    }


def _commands(word: str) -> list[str]:
    found = subprocess.run(["pgrep", "-fa", word], capture_output=True, text=True, check=False).stdout
    # Another copy of the project has a Python of its own, and may be at work.
    return [line for line in found.splitlines() if "pytest" not in line and sys.prefix in line]

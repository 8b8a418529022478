"""A Dockerfile as its instructions, and its build stage run without Docker."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from tests.clusterlab.conftest import ROOT

IMAGES = ROOT / "images"
DOCKERFILES = sorted(IMAGES.glob("*.Dockerfile"))
ELSEWHERE = re.compile(r"(?<![\w/])/(opt|usr/share/sbom)\b")
"""Where a build stage writes."""

OURS = ("MAKE", "MFLAGS", "PYTHON", "UV_FIND_LINKS", "UV_PYTHON", "VIRTUAL_ENV")
"""Variables of whoever runs the tests that an image's build has not; how packages are reached it keeps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Instruction:
    """One instruction of one stage."""

    stage: str
    """As `AS` names it; empty for the last one and for what comes before the first."""
    keyword: str
    text: str


def instructions(path: Path) -> list[Instruction]:
    """Those of a file, with continued lines as one and comments left out."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    found: list[Instruction] = []
    stage = ""
    for line in filter(None, "\n".join(lines).replace("\\\n", " ").splitlines()):
        keyword, _, text = line.partition(" ")
        if keyword == "FROM":
            stage = text.partition(" AS ")[2]
        found.append(Instruction(stage=stage, keyword=keyword, text=" ".join(text.split())))
    return found


def build(path: Path, root: Path, *, find_links: str = "", options: str = "") -> None:
    """Do what the stage `build` does, below `root` in place of `/`, with the files that it copies and no others.

    Args:
        path: The Dockerfile.
        root: An empty folder.
        find_links: Where uv looks beside the index.
        options: Of `uv pip sync`, in place of `--compile-bytecode`.
    """
    (root / "build").mkdir()
    for each in instructions(path):
        if each.stage == "build" and each.keyword == "COPY":
            _copy(each.text.split(), root / "build")
        elif each.stage == "build" and each.keyword == "RUN":
            script = re.sub(r"^(--\S+ )+", "", each.text).replace("--compile-bytecode", options)
            _run(ELSEWHERE.sub(rf"{root}/\1", script), root / "build", find_links)


def _copy(words: list[str], folder: Path) -> None:
    *sources, target = words
    (folder / target).mkdir(exist_ok=True)
    for source in sources:
        assert _is_sent(source), f"{source} is left out by .dockerignore"
        shutil.copy(ROOT / source, folder / target)


def _is_sent(path: str) -> bool:
    """By the last pattern of .dockerignore that matches."""
    patterns = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    matching = [line for line in patterns if fnmatch(path, line.removeprefix("!"))]
    return not matching or matching[-1].startswith("!")


def _run(script: str, folder: Path, find_links: str) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    variables = kept | {"SOURCE_DATE_EPOCH": "1700000000"} | ({"UV_FIND_LINKS": find_links} if find_links else {})
    # uv links what it has instead of copying it: the same files, in a second.
    script = script.replace("UV_LINK_MODE=copy", "UV_LINK_MODE=hardlink")
    command = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"

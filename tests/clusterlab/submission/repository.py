"""A class's repository as git has it, with its file and the task of its cluster."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.repository import ROOT, copy_repository

CLASS = """
course: llm-2026
infra: [aws/us-east-1]
roster: [ana, ben, cleo]
teams: {red: [ana]}
labs: {echo: {due: 2026-12-01}}
limits: {gpus: 1, gpu_hours: 8}
"""
IGNORED = "runs/\n.venv/\n__pycache__/\n"


def course_repository(folder: Path) -> Path:
    """Make one, with all of it committed; its lab names a secret."""
    root = copy_repository(folder)
    task = root / "labs" / "echo.yaml"
    task.write_text(task.read_text().replace("run: |", "secrets:\n  HF_TOKEN: null\n\nrun: |"))
    (root / "clusters").mkdir()
    (root / "clusters" / "llm-2026.yaml").write_text(CLASS)
    (root / ".gitignore").write_text(IGNORED)
    shutil.copy(ROOT / "sky.yaml", root)
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "--quiet"], ["add", "."], [*identity, "commit", "--quiet", "-m", "The class"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    return root


def reset(root: Path) -> None:
    """Undo all that was done to it since."""
    for command in (["checkout", "--quiet", "."], ["clean", "--quiet", "-fdx"]):
        subprocess.run(["git", *command], cwd=root, check=True)

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
    """Make one, in which nothing is committed yet."""
    root = copy_repository(folder)
    (root / "clusters").mkdir()
    (root / "clusters" / "llm-2026.yaml").write_text(CLASS)
    (root / ".gitignore").write_text(IGNORED)
    shutil.copy(ROOT / "sky.yaml", root)
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    return root

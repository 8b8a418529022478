from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

from tests.repository import copy_repository, no_process_left


def test_a_lab_that_is_made_runs_and_passes(tmp_path: Path) -> None:
    root = copy_repository(tmp_path / "repository")
    with no_process_left(uuid.uuid4().hex) as environment:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment |= {"PATH": path, "PYTHONPATH": str(root), "TMPDIR": str(tmp_path)}

        def clusterlab(*arguments: str) -> str:
            command = [sys.executable, "-m", "clusterlab.cli", *arguments]
            done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        clusterlab("new", "lab", "own-lab")
        clusterlab("check", "labs/own-lab.yaml")
        document = json.loads(clusterlab("run", "labs/own-lab.yaml", "--json"))
    assert document["verdict"] == "PASS"
    assert document["metrics"] == {"largest_error": 0.0, "mistake_found": 1.0}

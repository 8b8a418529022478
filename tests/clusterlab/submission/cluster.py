"""A real Ray for the tests to submit to, started in the environment of jobs; this one has none."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.repository import ROOT

PYTHON = ROOT / ".venv" / "train" / "bin" / "python"
INSTALL = "make env"
SCRIPT = """
import json, sys
from pathlib import Path
from jobs.launch import embedded

options = embedded._options
embedded._options = lambda temporary: [*options(temporary), f"--num-gpus={sys.argv[1]}"]
with embedded.embedded_ray(root=Path.cwd(), log=Path(sys.argv[2])) as head:
    print(json.dumps({"address": head.address, "token": head.token}), flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class RayCluster:
    """One node that says of itself that it has GPUs."""

    address: str
    token: str
    home: Path
    """Of whoever runs it: where the node's side of each run lies."""


@contextmanager
def ray_cluster(folder: Path, *, num_gpus: int) -> Iterator[RayCluster]:
    """Start one, and end it with all that it started."""
    home = folder / "home"
    home.mkdir(parents=True)
    command = [str(PYTHON), "-c", SCRIPT, str(num_gpus), str(folder / "ray.log")]
    # It runs elsewhere than the repositories that submit to it, as a cluster does.
    environment = os.environ | {"HOME": str(home), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (folder / "ray.log").read_text()
        try:
            yield RayCluster(**json.loads(line), home=home)
        finally:
            process.communicate("")

"""The small house, with an environment for jobs and a `jobs.submit` that needs no Ray."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

SUBMIT = '''"""Leave a record as a job does: it measures what is in `loss`, and fails where nothing is there."""

import os
import sys
from pathlib import Path

from clusterlab.config import parse
from clusterlab.job import Job
from clusterlab.run import Asked, Run, Status

job, folder = Job.load("toy", root=Path.cwd()), Path(os.environ["CLUSTERLAB_RUN_DIR"])
measured = Path("loss").read_text()
asked = Asked.of("toy", "toy", parse(job.config_type, {"SCALE": os.environ["SCALE"]}), root=Path.cwd())
with Path("started").open("a") as file:
    file.write(".")
Run(
    run_id=folder.name,
    fingerprint=asked.fingerprint,
    asked=asked,
    tags={},
    status=Status.SUCCEEDED if measured else Status.FAILED,
    started="2026-11-28T23:59:00+00:00",
    ended="2026-11-29T00:01:00+00:00",
    seconds=12.345,
    metrics={"loss": float(measured), "other": float("nan")} if measured else {},
    provenance={"commit": "ab" * 20, "num_cpus": 2, "devices": ["cpu"]},
    error=None if measured else "ValueError: no loss",
).save(folder)
sys.exit(not measured)
'''


@pytest.fixture
def ready(house: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The house; its toy passes."""
    for path, text in {"jobs/submit.py": SUBMIT, "images/train.lock": "", "loss": "1.0"}.items():
        (house / path).parent.mkdir(exist_ok=True)
        (house / path).write_text(text)
    (house / ".venv" / "train").mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return house

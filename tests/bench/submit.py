"""Measure `clusterlab submit` on a real Ray of one node: against bare `ray job submit`, and with many at once.

python -m tests.bench submit

Runs where SQLAlchemy is, in `.venv/sky`; the Ray is that of `.venv/train`, and says that it has four GPUs.
"""

from __future__ import annotations

import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.bench.figure import CONTROL, Figure, from_control
from tests.clusterlab.submission.cluster import PYTHON, RayCluster, ray_cluster

NUM_PAIRS = 5
NUM_STUDENTS, NUM_EACH, NUM_GPUS = 20, 5, 4
STUDENTS = tuple(f"student-{number:02}" for number in range(1, NUM_STUDENTS + 1))
LAB = "labs/echo.yaml"


def submit() -> list[Figure]:
    """Submissions of a job that says three words."""
    return from_control("tests.bench.submit", NUM_PAIRS, NUM_EACH)


def main() -> None:
    """Measure, and print the figures as JSON."""
    num_pairs, num_each = map(int, sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="submit-") as name, ray_cluster(Path(name), num_gpus=NUM_GPUS) as ray:
        root = _repository(Path(name))
        environment = os.environ | {
            "RAY_ADDRESS": ray.address,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": ray.token,
            "CLUSTERLAB_LEDGER": f"sqlite:///{name}/ledger.db",
        }
        figures = [_over_ray(root, ray, environment, num_pairs)] if num_pairs else []
        figures += [_at_once(root, environment, num_each)] if num_each else []
        print(json.dumps(figures))


def _repository(folder: Path) -> Path:
    """A class of twenty students, each with a budget."""
    from clusterlab.ledger.budget import Scope
    from clusterlab.ledger.ledger import Ledger
    from tests.clusterlab.submission.repository import course_repository

    root = course_repository(folder / "repository")
    text = f"course: llm-2026\ninfra: [aws/us-east-1]\nroster: {NUM_STUDENTS}\nlimits: {{gpus: 1}}\n"
    (root / "clusters" / "llm-2026.yaml").write_text(f"\n{text}")
    with closing(Ledger.open(f"sqlite:///{folder}/ledger.db", begin=True)) as ledger:
        for student in STUDENTS:
            ledger.set_cap(Scope.STUDENT, student, Decimal(100))
    return root


def _over_ray(root: Path, ray: RayCluster, environment: dict[str, str], num_pairs: int) -> dict[str, Any]:
    """One after the other, each from its command to its prompt; the first of each, which uploads, is not counted."""
    mine = [str(CONTROL), "submit", LAB, "--as", STUDENTS[0], "--fresh", "--json"]
    runtime_env = {"env_vars": {"CLUSTERLAB_TAGS": f"course=llm-2026,lab=echo,student={STUDENTS[0]}"}}
    theirs = [str(PYTHON.with_name("ray")), "job", "submit", "--working-dir=.", "--log-style=record"]
    theirs += [f"--runtime-env-json={json.dumps(runtime_env)}", "--", *_entrypoint(ray)]
    found = [(_seconds(mine, root, environment), _seconds(theirs, root, environment)) for _ in range(num_pairs + 1)]
    ratios = [ours / bare for ours, bare in found[1:]]
    ratio, seconds = statistics.median(ratios), [statistics.median(side) for side in zip(*found[1:], strict=True)]
    pairs = f"{min(ratios):.2f} to {max(ratios):.2f} in {num_pairs} pairs; {seconds[0]:.1f} and {seconds[1]:.1f} s"
    return {
        "what": "`clusterlab submit` against bare `ray job submit` of the same entrypoint, queue and results included",
        "measured": f"{ratio:.2f} ({pairs})",
        "wanted": "at most 1.1",
        "met": ratio <= 1.1,
    }


def _entrypoint(ray: RayCluster) -> list[str]:
    flags = ["--scale=tiny", "--steps=3", "--pause-seconds=0.0", "--word=hello", "--ending="]
    return shlex.split(f"python -m jobs.launch.execute echo --run={ray.home}/bare") + flags


def _at_once(root: Path, environment: dict[str, str], num_each: int) -> dict[str, Any]:
    """As many clients at a time as there are students, each with a word of its own, so that no two ask for the same."""
    start = time.perf_counter()
    asked = [(student, number) for number in range(num_each) for student in STUDENTS]
    with ThreadPoolExecutor(NUM_STUDENTS) as pool:
        clients = list(pool.map(lambda each: _client(each[0], each[1], root, environment), asked))
    seconds = time.perf_counter() - start
    landed = [json.loads(client.stdout)["student"] for client in clients if not client.returncode]
    right = sorted(landed) == sorted(STUDENTS * num_each)
    records = list((root / "runs").rglob("run.json"))
    return {
        "what": f"{len(clients)} submissions, {NUM_STUDENTS} students at a time, {NUM_GPUS} GPUs, one for each student",
        "measured": f"{len(landed)} landed, each with its student's record, in {seconds:.0f} s",
        "wanted": "all",
        "met": right and len(records) >= len(clients),
    }


def _client(student: str, number: int, root: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [str(CONTROL), "submit", LAB, "--as", student, "--env", f"WORD=word-{number}", "--json"]
    return subprocess.run(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
    )


def _seconds(command: list[str], root: Path, environment: dict[str, str]) -> float:
    start = time.perf_counter()
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return seconds


if __name__ == "__main__":
    main()

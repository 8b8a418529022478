"""Measure a class's clusters brought up side by side on the emulated cloud, against one after another.

python -m tests.bench fleet
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml

from clusterlab.calendar import DAYS
from clusterlab.lab import Lab
from clusterlab.rehearsal import account, image, on_cloud, play, stage
from clusterlab.rehearsal.apart import start_apart
from clusterlab.rehearsal.client import processes
from clusterlab.rehearsal.on_cloud import Scene
from tests.bench.figure import CONTROL, CONTROL_PYTHON, REPORTED, ROOT, Figure

CLASS = "clusters/llm-2026.yaml"
LAB = "labs/qlora.yaml"
ONE_BY_ONE = 2
AT_ONCE = 2 * max(2, os.cpu_count() or 1)
"""More do not run well where machines are this one's: their Ray is then not up in time."""
NUM_CLUSTERS = int(os.environ.get("FLEET_CLUSTERS", "24"))
"""The issue's class; fewer where a machine has less time."""
LOOK_SECONDS = 1.0


def fleet() -> list[Figure]:
    """`class warm --now` of per-student clusters on the emulated cloud: so many at once, against one after another."""
    what = f"`class warm` of {NUM_CLUSTERS} clusters on the emulated cloud"
    if os.geteuid() != 0:
        return [Figure(what=what, measured="not measured: needs root", wanted="", met=False)]
    slow, fast = _play([ONE_BY_ONE, NUM_CLUSTERS])
    ratio = (fast["seconds"] / NUM_CLUSTERS) / (slow["seconds"] / ONE_BY_ONE)
    each = (fast["peak_mib"] - fast["idle_mib"]) / fast["in_flight"]
    return [
        Figure(
            what=f"{what}, {AT_ONCE} at once, against {ONE_BY_ONE} one after another, by the cluster",
            measured=f"{ratio:.2f} ({fast['seconds']:.0f} s and {slow['seconds']:.0f} s)",
            # Machines that are up already run on the same cores, so that each launch takes longer than the one before.
            **REPORTED,
        ),
        Figure(
            what="Of them in flight together",
            measured=str(fast["in_flight"]),
            wanted="at least 4",
            met=fast["in_flight"] >= 4,
        ),
        Figure(
            what="Memory of SkyPilot's server for each in flight",
            measured=f"{each:.0f} MiB (in all {fast['peak_mib']:.0f} MiB; `class warm` {fast['client_mib']:.0f} MiB)",
            wanted="at most 500 MiB",
            met=each <= 500,
        ),
    ]


def _play(numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Have a rehearsal's stage set up, and on it bring up so many clusters, once for each number."""
    store = stage.folder()
    layers = image.bake(ROOT, store / "layers", announce=print)
    with tempfile.TemporaryDirectory(dir=ROOT) as out, stage._stage(store / "stages") as folder:
        stage.Request(root=str(ROOT), labs=(LAB,), out=out).save(folder / "request.json")
        (folder / "layers.json").write_text(json.dumps([str(layer) for layer in layers]))
        command = [str(CONTROL_PYTHON), "-m", "tests.bench.fleet", str(folder), *map(str, numbers)]
        environment = {name: each for name, each in os.environ.items() if not name.startswith(("AWS_", "SKYPILOT_"))}
        player = start_apart(command, cwd=ROOT, env=environment | {"PYTHONPATH": str(ROOT)})
        try:
            if player.wait():
                log = Path(out) / "sky.log"
                raise RuntimeError(log.read_text()[-4000:] if log.exists() else "the stage could not be set up")
        finally:
            player.kill()
            player.wait()
        found: list[dict[str, Any]] = json.loads((Path(out) / "fleet.json").read_text())
        return found


def _measure(numbers: Sequence[int], scene: Scene, _labs: Sequence[Lab], _request: object) -> None:
    """In the namespaces of the stage: bring them up, look at them by boto3, and take them down."""
    found = []
    for number in numbers:
        before = len(account.launched())
        at_once = 1 if number == ONE_BY_ONE else AT_ONCE
        with scene.steps.step(f"class warm of {number}, {at_once} at once"):
            found.append(_warm(scene, number, at_once))
        (scene.out / "fleet.json").write_text(json.dumps(found, indent=2))
        launched = len(account.launched()) - before
        if launched != number:
            raise RuntimeError(f"{launched} machines were launched for {number} clusters")
        # What is there at the end goes with the stage.
        if len(found) < len(numbers):
            with scene.steps.step(f"sky down of {number}"):
                scene.sky.run("down", "-y", "--all")


def _warm(scene: Scene, number: int, at_once: int) -> dict[str, Any]:
    students = [part for each in range(1, number + 1) for part in ("--student", f"student-{each:02}")]
    fixed = (str(CONTROL), "class", "warm", str(_that_meets(scene.out)), "--now", "--lab", Path(LAB).stem, "--json")
    command = [*fixed, "--at-once", str(at_once), *students]
    with _memory() as seen:
        began = time.perf_counter()
        result = subprocess.run(
            command, cwd=ROOT, env=scene.sky.environment(), capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - began
    with scene.sky.log.open("a") as log:
        log.write(f"$ {' '.join(command)}\n{result.stdout}{result.stderr}\n")
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {result.returncode}: {result.stdout}{result.stderr}")
    return {"seconds": seconds, "in_flight": json.loads(result.stdout)["in_flight"], **seen}


def _that_meets(folder: Path) -> Path:
    """The class's file, meeting all day: outside its hours the first would end, idle, before the last is up."""
    path = folder / Path(CLASS).name
    values = yaml.safe_load((ROOT / CLASS).read_text())
    path.write_text(yaml.safe_dump(values | {"dates": None, "hours": [f"{day} 00:00-23:59" for day in DAYS]}))
    return path


@contextmanager
def _memory() -> Iterator[dict[str, float]]:
    """The memory of SkyPilot's server before, and the most of it and of the launching process while it is used."""
    idle, _ = _mib()
    seen = {"idle_mib": idle, "peak_mib": idle, "client_mib": 0.0}
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_SECONDS):
            server, client = _mib()
            seen["peak_mib"] = max(seen["peak_mib"], server)
            seen["client_mib"] = max(seen["client_mib"], client)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join()


def _mib() -> tuple[float, float]:
    """Of SkyPilot's server with its workers, and of `clusterlab`; pages that are shared count once."""
    client = set(processes(Path(CLASS).name))
    sizes = {pid: _pss(pid) for pid in processes("")}
    return sum(size for pid, size in sizes.items() if pid not in client), sum(sizes[pid] for pid in client & set(sizes))


def _pss(pid: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def main(arguments: Sequence[str]) -> int:
    """Play on a stage; `_play` starts it."""
    folder, *numbers = arguments
    with patch.object(on_cloud, "_play", partial(_measure, [int(each) for each in numbers])):
        return play.main([folder])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

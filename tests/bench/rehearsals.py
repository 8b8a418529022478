"""Measure rehearsals: what one adds to the launch in it, how long a warm one takes, and eight clusters against one.

python -m tests.bench rehearsals
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.figure import CONTROL, ROOT, Figure

BARE = ("SkyPilot's API server", "sky launch", "sky down")
"""The steps that whoever launches a lab has without a rehearsal."""
NUM_CLUSTERS = 8


def rehearsals() -> list[Figure]:
    """`clusterlab rehearse`: labs/qlora.yaml twice, then an all-reduce once and eight times side by side."""
    if os.geteuid() != 0:
        return [Figure(what="`clusterlab rehearse`", measured="not measured: needs root", wanted="", met=False)]
    _rehearse("labs/qlora.yaml")
    warm = _rehearse("labs/qlora.yaml")
    return [_added(warm), _warm(warm), _side_by_side()]


def _added(record: dict[str, Any]) -> Figure:
    bare = sum(step["seconds"] for step in record["steps"] if step["name"].startswith(BARE))
    ratio = record["seconds"] / bare
    return Figure(
        what="`clusterlab rehearse labs/qlora.yaml` against the `sky api start`, `sky launch` and `sky down` in it",
        measured=f"{ratio:.3f} ({record['seconds']:.0f} s and {bare:.0f} s)",
        wanted="at most 1.15",
        met=ratio <= 1.15,
    )


def _warm(record: dict[str, Any]) -> Figure:
    launch = next(step["seconds"] for step in record["steps"] if step["name"].startswith("sky launch"))
    return Figure(
        what="`clusterlab rehearse labs/qlora.yaml`, its image baked",
        measured=f"{record['seconds']:.0f} s, of which `sky launch` with the job {launch:.0f} s",
        wanted="under 90 s on 2 cores",
        met=record["seconds"] < 90,
    )


def _side_by_side() -> Figure:
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        lab = _on_one_node("allreduce", Path(folder))
        what = (
            f"`sky launch` of {NUM_CLUSTERS} clusters side by side against one (`rehearse --clusters {NUM_CLUSTERS}`)"
        )
        one = _launch(_rehearse(lab))
        try:
            many = _launch(_rehearse(lab, "--clusters", str(NUM_CLUSTERS)))
        except RuntimeError as error:
            print(error)
            measured = f"one took {one:.0f} s, {NUM_CLUSTERS} did not all end well"
            return Figure(what=what, measured=measured, wanted="at most 3 on 2 cores", met=False)
    measured = f"{many / one:.2f} ({many:.0f} s and {one:.0f} s)"
    return Figure(what=what, measured=measured, wanted="at most 3 on 2 cores", met=many / one <= 3)


def _on_one_node(name: str, folder: Path) -> str:
    """A lab whose job is over in seconds, so that what is compared is launching, on as many nodes as fit here."""
    for path in (ROOT / "labs").glob(f"{name}.*"):
        (folder / path.name).write_text(path.read_text().replace("num_nodes: 2", "num_nodes: 1"))
    return str((folder / f"{name}.yaml").relative_to(ROOT))


def _launch(record: dict[str, Any]) -> float:
    return float(next(step["seconds"] for step in record["steps"] if step["name"].startswith("sky launch")))


def _rehearse(*arguments: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        command = [str(CONTROL), "rehearse", *arguments, "--out", folder, "--json"]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if result.returncode:
            log = Path(folder) / "sky.log"
            said = result.stderr[-1000:] + (log.read_text()[-4000:] if log.exists() else "")
            raise RuntimeError(f"{' '.join(command)} ended with {result.returncode}:\n{said}")
        record: dict[str, Any] = json.loads((Path(folder) / "rehearsal.json").read_text())
        return record

"""What is launched in a rehearsal, wherever, and how its result is held against its lab."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from clusterlab.config import Scale
from clusterlab.document import Document
from clusterlab.lab import Lab
from clusterlab.rehearsal.steps import StepError
from clusterlab.report.results import entry
from clusterlab.run import Run, Status, find_runs
from clusterlab.tags import Tags

STUDENT = "rehearsal"
AT_ONCE_PER_CPU = 2
"""Clusters that are launched side by side; with more, a machine's Ray is not up in the time that it has."""
SHARED = "sky.yaml"
"""The task that is no lab: the class's shared cluster."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """A lab that is to be launched under a name."""

    name: str
    lab: Lab

    def launch_arguments(self) -> list[str]:
        """What comes after `sky launch -y -c NAME`, or after `sky jobs launch -y -n NAME`."""
        secrets = Document.load(self.lab.path, []).mapping_at("secrets")
        given = [argument for name in secrets for argument in ("--secret", f"{name}=none")]
        return [str(self.lab.path), "--env", f"SCALE={Scale.TINY}", *given]


def side_by_side(clusters: Sequence[Cluster], act: Callable[[Cluster], object]) -> None:
    """Do something with each cluster, as many at once as the processors carry: all machines are on this one."""
    most = AT_ONCE_PER_CPU * (os.cpu_count() or 1)
    with ThreadPoolExecutor(max_workers=min(most, len(clusters))) as pool:
        list(pool.map(act, clusters))


def times(clusters: Sequence[Cluster]) -> str:
    """What a step's name says of several clusters."""
    return f" ({len(clusters)} side by side)" if len(clusters) > 1 else ""


def check_record(folder: Path, lab: Lab, *, student: str = STUDENT) -> str:
    """Hold the one run below a folder against its lab's expectations.

    Raises:
        StepError: there is not one run, it did not succeed, or a metric is outside its range.
    """
    runs = list(find_runs(folder))
    if len(runs) != 1:
        raise StepError(f"{folder}: {len(runs)} runs; expected one")
    where, run = runs[0]
    if run.status is not Status.SUCCEEDED:
        raise StepError(f"{where}: the run is {run.status}: {run.error}")
    results = [result for result in entry(where, run, lab).results if result.verdict]
    failed = [str(result) for result in results if result.verdict == "FAIL"]
    if failed:
        raise StepError(f"{where}: outside what the lab expects: {'; '.join(failed)}")
    _same_tags(run, lab, student)
    return f"{len(results)} of {len(results)} expectations met; fingerprint {run.fingerprint[:8]}"


def _same_tags(run: Run, lab: Lab, student: str) -> None:
    tags = Tags(**{key.replace("-", "_"): value for key, value in run.tags.items()})
    if (tags.course, tags.lab, tags.student) != (lab.resources.labels["course"], lab.name, student):
        raise StepError(f"run.json has other tags: {tags.format()}")

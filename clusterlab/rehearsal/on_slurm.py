"""Rehearse labs on a Slurm of our own: launched, checked, taken down, and looked at by Slurm's commands throughout."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from clusterlab.catalog import Catalog
from clusterlab.errors import InputError, Problem
from clusterlab.lab import Lab
from clusterlab.rehearsal import launch
from clusterlab.rehearsal.client import SkyPilot
from clusterlab.rehearsal.launch import STUDENT, check_record
from clusterlab.rehearsal.prices import write_skypilot_catalog
from clusterlab.rehearsal.slurm import LocalSlurm
from clusterlab.rehearsal.stage import Request, Stage
from clusterlab.rehearsal.steps import StepError, Steps
from clusterlab.slurm.centre import PATH, Centre
from clusterlab.slurm.usage import Cluster, SlurmJob, usage

END_SECONDS = 60
"""How long Slurm may take to end a job that was cancelled."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """What the steps of a rehearsal share."""

    steps: Steps
    sky: SkyPilot
    slurm: LocalSlurm
    out: Path


def rehearse_on_slurm(request: Request, steps: Steps, sky: SkyPilot, stage: Stage) -> None:
    """Play every step; the first that is not as it must be ends it.

    Raises:
        StepError: that step, with what was seen.
        InputError: a lab or `clusters/slurm.yaml` cannot be read, or no accelerator of the centre suits every lab.
    """
    if launch.SHARED in request.labs:
        raise InputError(Problem(path=launch.SHARED, message="can be rehearsed on the cloud only; allowed: labs"))
    labs, catalog = [Lab.load(Path(lab)) for lab in request.labs], Catalog.load()
    centre = Centre.load(sky.root / PATH, catalog)
    slurm = LocalSlurm(folder=stage.disks, layers=stage.layers, centre=centre, accelerator=accelerator(centre, labs))
    sky = replace(sky, variables=dict(sky.variables) | {"CLUSTERLAB_STUDENT": STUDENT})
    scene = Scene(steps=steps, sky=sky, slurm=slurm, out=Path(request.out))
    with ExitStack() as stack:
        with steps.step("Slurm") as step:
            write_skypilot_catalog(catalog, sky.home)
            _tell_skypilot(sky, slurm.here)
            api = sky.start("api", "start")
            stack.callback(slurm.stop)
            slurm.start()
            step.notes.append(slurm.describe())
        with steps.step("SkyPilot's API server"):
            said, _ = api.communicate()
            if api.returncode:
                raise StepError(f"`sky api start` ended with {api.returncode}:\n{said.strip()[-1000:]}")
            sky.go_first()
        for lab in labs:
            names = [f"{lab.name}-{number}" for number in range(1, request.num_clusters + 1)]
            _rehearse_lab(scene, [launch.Cluster(name=name, lab=lab) for name in names])


def accelerator(centre: Centre, labs: Sequence[Lab]) -> str:
    """One that the centre has and every lab takes.

    Raises:
        InputError: there is none.
    """
    has = list(centre.usd_per_hour.accelerators)
    suits = [name for name in has if all(name in (lab.resources.accelerators or has) for lab in labs)]
    if not suits:
        message = f"none of {', '.join(has) or 'nothing'} suits {', '.join(lab.name for lab in labs)}"
        raise InputError(Problem(path=str(PATH), key="usd_per_hour.accelerators", message=message))
    return suits[0]


def _tell_skypilot(sky: SkyPilot, centre: Centre) -> None:
    folder = sky.home / ".slurm"
    folder.mkdir()
    (folder / "config").write_text(centre.ssh_config())
    sky.configure(centre.skypilot_config())


def _rehearse_lab(scene: Scene, clusters: Sequence[launch.Cluster]) -> None:
    lab, infra = clusters[0].lab, scene.slurm.centre.infra
    with scene.steps.step(f"sky launch {lab.path} --infra {infra}{launch.times(clusters)}"):
        launch.side_by_side(clusters, lambda each: _launch(scene, each))
    with scene.steps.step("run.json comes back, its result as expected") as step:
        for each in clusters:
            target = scene.out / each.name
            scene.sky.fetch(each.name, "sky_workdir/runs", target)
            step.notes.append(check_record(target, lab))
    with scene.steps.step("Slurm gave what the lab asks for") as step:
        known = _known(scene.sky, clusters)
        step.notes.append(check_allocated(SlurmJob.parse(_jobs(scene.slurm)), known, lab))
    with scene.steps.step(f"sky down{launch.times(clusters)}"):
        scene.sky.run("down", "-y", *(each.name for each in clusters))
    with scene.steps.step("no job is left") as step:
        _wait_for_empty_queue(scene.slurm)
        step.notes.append("squeue is empty")
    with scene.steps.step("usage by student and lab, from Slurm's record") as step:
        step.notes += check_usage(SlurmJob.parse(scene.slurm.job_records()), known, lab)


def _launch(scene: Scene, cluster: launch.Cluster) -> None:
    infra = scene.slurm.centre.infra
    scene.sky.run("launch", "-y", "-c", cluster.name, *cluster.launch_arguments(), "--infra", infra)


def check_allocated(jobs: Sequence[SlurmJob], clusters: Sequence[Cluster], lab: Lab) -> str:
    """Whether each cluster is one Slurm job, with the nodes, CPUs and accelerators that the lab asks for.

    Raises:
        StepError: a cluster that is not.
    """
    asked = {name.lower(): count for name, count in lab.resources.accelerators.items()}
    seen = set()
    for cluster in clusters:
        found = [job for job in jobs if job.name.startswith(f"{cluster.name}-")]
        if [job.id for job in found] != [cluster.job_id]:
            raise StepError(f"{cluster.name}: {len(found)} Slurm jobs of this name; expected one, {cluster.job_id}")
        (job,) = found
        each_node = {name: count // job.num_nodes for name, count in job.gpus.items()}
        if job.num_nodes != lab.num_nodes:
            raise StepError(f"{cluster.name}: has {job.num_nodes} nodes; the lab asks for {lab.num_nodes}")
        if asked and (len(each_node) != 1 or not each_node.items() <= asked.items()):
            raise StepError(f"{cluster.name}: Slurm gave {each_node or 'no GPU'} a node; the lab asks for {asked}")
        if job.num_cpus < lab.resources.min_vcpus * job.num_nodes:
            raise StepError(f"{cluster.name}: Slurm gave {job.num_cpus} CPUs, less than the lab asks for")
        gpus = ", ".join(f"{count} {name.upper()}" for name, count in each_node.items()) or "no GPU"
        seen.add(f"{job.num_nodes} nodes, {job.num_cpus} CPUs, {gpus} a node")
    return f"{len(clusters)} jobs: {'; '.join(sorted(seen))} (no GPU is in a node)"


def check_usage(jobs: Sequence[SlurmJob], clusters: Sequence[Cluster], lab: Lab) -> list[str]:
    """What was used, a row for each student and lab.

    Raises:
        StepError: a cluster's job is not on record, or nothing was used.
    """
    missing = [each.name for each in clusters if each.job_id not in {job.id for job in jobs}]
    if missing:
        raise StepError(f"not in Slurm's record: {', '.join(missing)}")
    rows = usage([job for job in jobs if job.id in {each.job_id for each in clusters}], clusters)
    for row in rows:
        if (row.student, row.lab) != (STUDENT, lab.name):
            raise StepError(f"{row}: expected {STUDENT} x {lab.name}")
        if row.cpu_hours <= 0 or (lab.resources.accelerators and row.gpu_hours <= 0):
            raise StepError(f"{row}: nothing was used")
    return [str(row) for row in rows]


def _known(sky: SkyPilot, clusters: Sequence[launch.Cluster]) -> list[Cluster]:
    """The clusters, as SkyPilot has them on record."""
    names = {each.name for each in clusters}
    said = sky.run("status", "--output", "json")
    known = [each for each in Cluster.parse(json.loads(said[said.index("[") :])) if each.name in names]
    if len(known) != len(names):
        raise StepError(f"`sky status` has {', '.join(each.name for each in known) or 'none'} on Slurm")
    return known


def _jobs(slurm: LocalSlurm) -> str:
    return slurm.ask("scontrol", "--oneliner", "--details", "show", "job")


def _wait_for_empty_queue(slurm: LocalSlurm) -> None:
    deadline = time.monotonic() + END_SECONDS
    while queue := slurm.ask("squeue", "--noheader"):
        if time.monotonic() > deadline:
            raise StepError(f"left in the queue: {queue.strip()}")
        time.sleep(0.5)

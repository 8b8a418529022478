"""Rehearse labs on the emulated cloud: launched, checked, taken down, and looked at by boto3 throughout."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from clusterlab.catalog import Catalog, Row
from clusterlab.lab import Lab
from clusterlab.reaper.resource import Resource
from clusterlab.rehearsal import account
from clusterlab.rehearsal.backend import REGION
from clusterlab.rehearsal.client import COMMAND_SECONDS, SkyPilot
from clusterlab.rehearsal.cloud import ENDPOINT, LOCAL_ENDPOINT, EmulatedCloud
from clusterlab.rehearsal.faults import MANAGED, Fault, Injector
from clusterlab.rehearsal.launch import SHARED, STUDENT, Cluster, check_record, side_by_side, times
from clusterlab.rehearsal.prices import write_skypilot_catalog
from clusterlab.rehearsal.stack import class_of, configuration, make_class
from clusterlab.rehearsal.stage import Request, Stage
from clusterlab.rehearsal.steps import StepError, Steps

OUTAGE_SECONDS = 120.0
"""Faults that a managed job goes on after."""
CREDENTIALS = {
    "AWS_ENDPOINT_URL": ENDPOINT,
    "AWS_ACCESS_KEY_ID": "rehearsal",
    "AWS_SECRET_ACCESS_KEY": "rehearsal",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""With which everything here, boto3 and SkyPilot, reaches the emulated cloud and no other."""
SETTINGS = {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true", "MOTO_EC2_LOAD_DEFAULT_AMIS": "true"}
CONTROLLER = {"jobs": {"controller": {"consolidation_mode": True}}}
"""The controller of managed jobs runs in the API server: one machine less."""
TOLD = ("aws_vpc_name", "aws_security_group_name", "aws_remote_identity", "aws_bucket")
"""Exports of the class that its step names: the network, as whom machines act, and where runs are kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """What the steps of a rehearsal share."""

    steps: Steps
    sky: SkyPilot
    cloud: EmulatedCloud
    catalog: Catalog
    out: Path
    bucket: str
    """That of the class."""


def rehearse_on_cloud(request: Request, steps: Steps, sky: SkyPilot, stage: Stage) -> None:
    """Play every step; the first that is not as it must be ends it.

    Raises:
        StepError: that step, with what was seen.
        InputError: a lab or the class cannot be read.
    """
    labs = [Lab.load(Path(lab)) for lab in request.labs if lab != SHARED]
    class_file = class_of(request.labs, Path(request.root))
    injector = Injector(faults=frozenset(request.faults), seed=request.seed)
    cloud = EmulatedCloud(folder=stage.disks, layers=stage.layers, cache=stage.cache, injector=injector)
    sky = replace(sky, variables=dict(sky.variables) | CREDENTIALS | {"CLUSTERLAB_STUDENT": STUDENT})
    catalog = Catalog.load()
    with ExitStack() as stack:
        with steps.step("emulated cloud"):
            os.environ.update(CREDENTIALS | SETTINGS)
            write_skypilot_catalog(catalog, sky.home)
            sky.configure(CONTROLLER)
            api = sky.start("api", "start")
            cloud.start()
            stack.callback(cloud.stop)
        with steps.step(f"the Pulumi program of {class_file}, applied") as step:
            exports = make_class(class_file, root=Path(request.root), region=REGION, endpoint=LOCAL_ENDPOINT)
            # SkyPilot reads it again with each command.
            sky.configure(CONTROLLER | configuration(exports))
            step.notes.append(", ".join(str(exports[name]) for name in TOLD))
        with steps.step("SkyPilot's API server"):
            wait_for(api)
            sky.go_first()
        bucket = str(exports["aws_bucket"])
        if set(request.faults) & set(MANAGED):
            # Where the policy keeps the runs of a job that loses its machine.
            sky = replace(sky, variables=dict(sky.variables) | {"CLUSTERLAB_BUCKET": bucket})
        scene = Scene(steps=steps, sky=sky, cloud=cloud, catalog=catalog, out=Path(request.out), bucket=bucket)
        _play(scene, labs, request)


def wait_for(api: subprocess.Popen[str]) -> None:
    """Wait until SkyPilot's API server is up.

    Raises:
        StepError: it did not start.
    """
    said, _ = api.communicate()
    if api.returncode:
        raise StepError(f"`sky api start` ended with {api.returncode}:\n{said.strip()[-1000:]}")


def _play(scene: Scene, labs: Sequence[Lab], request: Request) -> None:
    for lab in labs:
        _rehearse(scene, lab, request)
    if SHARED in request.labs:
        from clusterlab.rehearsal.shared import rehearse_shared_cluster

        rehearse_shared_cluster(scene)


def _rehearse(scene: Scene, lab: Lab, request: Request) -> None:
    managed = next((each for each in request.faults if each in MANAGED), None)
    if managed is not None:
        from clusterlab.rehearsal.managed import rehearse_managed_job

        rehearse_managed_job(scene, Cluster(name=lab.name, lab=lab), managed)
        return
    names = [f"{lab.name}-{number}" for number in range(1, request.num_clusters + 1)]
    _rehearse_lab(scene, [Cluster(name=name, lab=lab) for name in names], request.faults)


def _rehearse_lab(scene: Scene, clusters: Sequence[Cluster], faults: Sequence[Fault]) -> None:
    lab = clusters[0].lab
    seen = len(account.launched())
    with scene.steps.step(f"sky launch {lab.path}{times(clusters)}") as step:
        side_by_side(clusters, lambda each: launch(scene, each))
        instances = account.launched()[seen:]
        step.notes.append(", ".join(sorted({f"{each.shape} in {each.zone}" for each in instances})))
    if faults:
        with scene.steps.step(f"recovery from {', '.join(faults)}") as step:
            step.notes.append(check_faults(scene, faults))
    with scene.steps.step("run.json comes back, its result as expected") as step:
        for each in clusters:
            step.notes.append(check_result(scene, each, faults))
    with scene.steps.step("every machine and disk carries the cost tags") as step:
        step.notes.append(check_tags(lab))
    with scene.steps.step("machines are those that the lab asks for") as step:
        step.notes.append(check_machines(scene, clusters, account.launched()[seen:], faults))
    with scene.steps.step(f"sky down{times(clusters)}"):
        scene.sky.run("down", "-y", *(each.name for each in clusters))
    with scene.steps.step("nothing that is billed is left") as step:
        step.notes.append(check_nothing_left())


def launch(scene: Scene, cluster: Cluster) -> None:
    """Run the literal `sky launch` to the end of its job; what a run wrote that failed comes back too."""
    # SkyPilot goes on asking a cloud that is gone, for longer than anybody wants to watch.
    seconds = OUTAGE_SECONDS if Fault.OUTAGE in scene.cloud.injector.faults else COMMAND_SECONDS
    try:
        scene.sky.run("launch", "-y", "-c", cluster.name, *cluster.launch_arguments(), seconds=seconds)
    except StepError:
        with suppress(StepError):
            scene.sky.fetch(cluster.name, "sky_workdir/runs", scene.out / cluster.name)
        raise


def check_result(scene: Scene, cluster: Cluster, faults: Sequence[Fault] = ()) -> str:
    """Fetch the record of a cluster's run, and hold it against the lab's expectations."""
    target = scene.out / cluster.name
    if Fault.LOST_ANSWER in faults:
        _fetch_from_any(scene, cluster, target)
    else:
        scene.sky.fetch(cluster.name, "sky_workdir/runs", target)
    return check_record(target, cluster.lab)


def _fetch_from_any(scene: Scene, cluster: Cluster, target: Path) -> None:
    """From whichever machine ran the job: of two by one name, SkyPilot may come to take the idle one for the head."""
    addresses = [each.public_ip for each in account.billed() if each.kind == "instance"]
    for number, address in enumerate(addresses, start=1):
        try:
            scene.sky.fetch(cluster.name, "sky_workdir/runs", target, address=address)
            return
        except StepError:
            if number == len(addresses):
                raise


def check_tags(lab: Lab) -> str:
    """Whether everything billed carries every cost tag.

    Raises:
        StepError: what lacks which.
    """
    return check_tags_of({"course": lab.resources.labels["course"], "lab": lab.name})


def check_tags_of(labels: Mapping[str, str]) -> str:
    """Whether everything billed carries these labels, the student, a run and a lease.

    Raises:
        StepError: what lacks which.
    """
    things, wanted = account.billed(), dict(labels) | {"student": STUDENT}
    problems = []
    for thing in things:
        problems += [
            f"{thing}: {key} is {thing.tags.get(key)!r}" for key in wanted if thing.tags.get(key) != wanted[key]
        ]
        problems += [f"{thing}: no tag {key}" for key in ("run", "lease-until") if key not in thing.tags]
    if problems or not things:
        raise StepError("; ".join(problems) or "nothing is billed, though a cluster is up")
    kinds = [str(thing.kind) for thing in things]
    return (
        f"{kinds.count('instance')} instances, {kinds.count('volume')} volumes: course, lab, student, run, lease-until"
    )


def check_machines(
    scene: Scene, clusters: Sequence[Cluster], instances: Sequence[Resource], faults: Sequence[Fault]
) -> str:
    """Whether each machine that was launched has what the lab asks for, and none was launched twice.

    One that nobody heard of is launched again: SkyPilot 0.14.1 turns boto3's own retries off when it launches
    (`sky/provision/aws/instance.py`), so that a new client token goes with the next try.

    Raises:
        StepError: a machine that is none of the lab's, or another number of them.
    """
    lab = clusters[0].lab
    unheard = 1 if Fault.LOST_ANSWER in faults else 0
    wanted = len(clusters) * lab.num_nodes + unheard
    if len(instances) != wanted:
        raise StepError(f"{len(instances)} machines were launched; expected {wanted}: {', '.join(map(str, instances))}")
    shapes = {}
    for each in instances:
        row = _row(scene.catalog, each.shape)
        asked = lab.resources.accelerators
        if asked and asked.get(row.accelerator) != row.accelerator_count:
            raise StepError(f"{each}: has {row.accelerator_count} {row.accelerator}; the lab asks for {asked}")
        if (row.vcpus or 0) < lab.resources.min_vcpus or (row.memory_gib or 0) < lab.resources.min_memory_gib:
            raise StepError(f"{each}: is smaller than the lab asks for")
        shapes[each.shape] = f"{each.shape}: {row.accelerator_count or 'no'} {row.accelerator or 'accelerator'}".strip()
    how = f"{unheard} of them unheard of" if unheard else "each once"
    return f"{wanted} launched, {how}; {', '.join(shapes.values())} (no GPU is in an emulated machine)"


def check_nothing_left() -> str:
    """Whether the account is as empty as before.

    Raises:
        StepError: what is left.
    """
    left = account.billed(account.LEFT)
    if left:
        raise StepError(f"left: {', '.join(map(str, left))}")
    return f"none of {', '.join(account.LEFT)}; {len(account.launched())} instances ended"


def check_faults(scene: Scene, faults: Sequence[Fault]) -> str:
    """Whether each fault was met.

    Raises:
        StepError: one was never injected.
    """
    missed = [each for each in faults if each not in scene.cloud.injector.hit]
    if missed:
        raise StepError(f"{', '.join(missed)}: no call was hit")
    return "; ".join(scene.cloud.injector.injected)


def _row(catalog: Catalog, shape: str) -> Row:
    found = next((row for row in catalog.rows if (row.cloud, row.name) == ("aws", shape)), None)
    if found is None:
        raise StepError(f"{shape}: launched, but not in the catalog")
    return found

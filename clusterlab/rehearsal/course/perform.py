"""Play the acts of a class's rehearsal, in the namespaces that were made for it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from clusterlab.catalog import Catalog
from clusterlab.errors import ClusterlabError
from clusterlab.rehearsal.client import SkyPilot
from clusterlab.rehearsal.cloud import EmulatedCloud
from clusterlab.rehearsal.course.act import Act, chosen
from clusterlab.rehearsal.course.acts import ACTS
from clusterlab.rehearsal.course.clock import Clock
from clusterlab.rehearsal.course.course import LEDGER, Course
from clusterlab.rehearsal.course.roles import Roles
from clusterlab.rehearsal.course.sweeping import write_keep
from clusterlab.rehearsal.course.tasks import PROJECT, copy_lab, move_class
from clusterlab.rehearsal.on_cloud import CONTROLLER, CREDENTIALS, SETTINGS, wait_for
from clusterlab.rehearsal.prices import emulated, write_skypilot_catalog
from clusterlab.rehearsal.stage import Request, Stage
from clusterlab.rehearsal.steps import StepError, Steps, Verdict

EMULATED = (
    "emulated: EC2, IAM, S3 and EFS by moto, the class's clock for all of it",
    "emulated: machines, by sandboxes of this one; accelerators by name only; all students share one SkyPilot",
    "emulated: Pulumi's engine and its state, by infra.emulated; not its `destroy`: networks, roles and buckets stay",
)


def rehearse_class(request: Request, steps: Steps, sky: SkyPilot, stage: Stage) -> None:
    """Play every act that is asked for; teardown and report whatever failed before.

    Raises:
        StepError: an act failed, which the record names.
        InputError: the class or an act's name is wrong.
    """
    acts = chosen(ACTS, request.acts)
    with ExitStack() as stack:
        course = _prepare(request, steps, sky, stage, stack)
        _play(course, acts, steps)
    steps.about["forwarded"] = course.forwarded
    steps.about["emulated"] = EMULATED
    steps.save()
    for line in EMULATED:
        course.console.print(line, highlight=False, soft_wrap=True)
    if steps.verdict is not Verdict.PASS:
        raise StepError("an act failed")


def _prepare(request: Request, steps: Steps, sky: SkyPilot, stage: Stage, stack: ExitStack) -> Course:
    """The emulated cloud, SkyPilot's server, the ledger, and the class as of today."""
    from clusterlab.ledger.ledger import Ledger

    clock, out, root = Clock(), Path(request.out), Path(request.root)
    cloud = EmulatedCloud(folder=stage.disks, layers=stage.layers, cache=stage.cache, clock=clock.now)
    catalog, url = emulated(Catalog.load()), f"sqlite:///{out / LEDGER}"
    with steps.step("emulated cloud and SkyPilot's API server") as step:
        cluster = move_class(root / str(request.course), out / "class", clock.now().date())
        labs = {each.lab: copy_lab(each.lab, cluster.course, root, out / "tasks") for each in cluster.labs}
        project = copy_lab(PROJECT, cluster.course, root, out / "tasks")
        roles = Roles.of(cluster.students(), path=str(request.course))
        os.environ.update(CREDENTIALS | SETTINGS)
        sky = replace(sky, variables=dict(sky.variables) | CREDENTIALS | {"CLUSTERLAB_LEDGER": url})
        write_skypilot_catalog(catalog, sky.home)
        sky.configure(CONTROLLER)
        api = sky.start("api", "start")
        cloud.start()
        stack.callback(cloud.stop)
        ledger = stack.enter_context(closing(Ledger.open(url, begin=True, clock=clock.now)))
        wait_for(api)
        sky.go_first()
        step.notes.append(f"class {cluster.course}: {len(cluster.students())} students, {len(labs)} labs")
    course = Course(
        root=root,
        out=out,
        cluster=cluster,
        roles=roles,
        labs=labs,
        project=project,
        console=steps.console,
        sky=sky,
        cloud=cloud,
        clock=clock,
        catalog=catalog,
        ledger=ledger,
        settings=CONTROLLER,
    )
    write_keep(course)
    return course


def _play(course: Course, acts: Sequence[Act], steps: Steps) -> None:
    failed: set[str] = set()
    for act in acts:
        missing = [name for name in act.needs if name in failed]
        if missing and not act.always:
            failed.add(act.name)
            steps.skip(f"{act.name}: {act.title}", f"{', '.join(missing)} did not go well")
            continue
        try:
            with steps.step(f"{act.name}: {act.title}") as step:
                act.play(course, step)
        except ClusterlabError as error:
            failed.add(act.name)
            course.console.print(str(error), highlight=False, markup=False, soft_wrap=True)

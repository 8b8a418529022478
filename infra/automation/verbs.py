"""What can be done with a class's stack: look at its state, preview it, bring it up, and take it down."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pulumi.automation import (
    CommandError,
    ConcurrentUpdateError,
    Deployment,
    LocalWorkspace,
    Stack,
    StackNotFoundError,
)

from clusterlab.cluster import Cluster
from clusterlab.course.events import Done, Event, Outputs, State
from clusterlab.errors import BusyError, ClusterlabError
from infra.automation import needs
from infra.automation.keeping import kept, protected, retained
from infra.automation.state import known, pending, without_pending
from infra.automation.telling import Teller
from infra.policy.settings import settings

PACK = Path("infra") / "policy"


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What a verb is given."""

    cluster: Cluster
    root: Path
    """Of the repository."""
    install: bool
    tell: Callable[[Event], None]
    keep: tuple[str, ...] = ()
    """What `down` leaves, by id or as `tag=value`."""


def state(job: Job) -> None:
    """Tell what Pulumi knows of the stack."""
    with _failures(job):
        try:
            deployment = _stack(job, create=False).export_stack().deployment or {}
        except StackNotFoundError:
            job.tell(State(exists=False))
            return
        told = State(
            exists=True,
            known=tuple(sorted(known(deployment))),
            pending=tuple(pending(deployment)),
            kept=tuple(sorted(kept(deployment))),
        )
        job.tell(told)


def repair(job: Job) -> None:
    """Forget what was under way when an update was killed; the cloud itself is looked at by the next refresh."""
    with _failures(job):
        stack = _stack(job, create=False)
        exported = stack.export_stack()
        stack.import_stack(Deployment(version=exported.version, deployment=without_pending(exported.deployment or {})))
        job.tell(Done())


def preview(job: Job) -> None:
    """Tell every change that `up` would make, and every rule that it would break."""
    with _failures(job), _policy(job) as (pack, terms):
        told = Teller(tell=job.tell, planning=True)
        found = _stack(job, create=True).preview(
            on_event=told, policy_packs=[pack], policy_pack_configs=[terms], color="never"
        )
        job.tell(Done(changes=_counted(found.change_summary)))


def up(job: Job) -> None:
    """Make the cloud as the class's file says; what the state says is held against the cloud first."""
    with _failures(job), _policy(job) as (pack, terms):
        made = _stack(job, create=True).up(
            on_event=Teller(tell=job.tell),
            policy_packs=[pack],
            policy_pack_configs=[terms],
            refresh=True,
            color="never",
        )
        job.tell(Outputs(values={key: each.value for key, each in made.outputs.items() if not each.secret}))
        job.tell(Done(changes=_counted(made.summary.resource_changes or {})))


def down(job: Job) -> None:
    """Take away all that the state knows, but for what is kept; what is gone already is no fault."""
    with _failures(job):
        try:
            stack = _stack(job, create=False)
        except StackNotFoundError:
            job.tell(Done())
            return
        exported = stack.export_stack()
        deployment = protected(exported.deployment or {}, job.keep)
        if deployment != exported.deployment:
            stack.import_stack(Deployment(version=exported.version, deployment=deployment))
        spared = retained(deployment, job.keep)
        for each in spared:
            job.tell(each)
        if spared and known(deployment) == kept(deployment):
            job.tell(Done())
            return
        # Pulumi itself leaves what a protected resource stands on.
        told, only = Teller(tell=job.tell), bool(spared) or None
        gone = stack.destroy(on_event=told, refresh=True, color="never", exclude_protected=only)
        job.tell(Done(changes=_counted(gone.summary.resource_changes or {})))


def outputs(job: Job) -> None:
    """Tell what the stack exports, but for secrets."""
    with _failures(job):
        try:
            found = _stack(job, create=False).outputs()
        except StackNotFoundError as error:
            told = f"stack {job.cluster.course}: not there; `clusterlab class up {job.cluster.path}` makes it"
            raise ClusterlabError(told) from error
        job.tell(Outputs(values={key: each.value for key, each in found.items() if not each.secret}))


VERBS: dict[str, Callable[[Job], None]] = {each.__name__: each for each in (state, repair, preview, up, down, outputs)}


def _stack(job: Job, *, create: bool) -> Stack:
    """The class's stack, in the repository's own project.

    Raises:
        StackNotFoundError: there is none, and none is made.
    """
    command = needs.cli(job.root, install=job.install)
    needs.check(job.root, job.cluster.course)
    workspace = LocalWorkspace(work_dir=str(job.root), pulumi_command=command)
    choose = Stack.create_or_select if create else Stack.select
    return choose(job.cluster.course, workspace)


@contextlib.contextmanager
def _policy(job: Job) -> Iterator[tuple[str, str]]:
    """The policy pack, and a file with what this class has agreed to."""
    with tempfile.TemporaryDirectory(prefix="clusterlab-policy-") as folder:
        path = Path(folder) / "policy.json"
        path.write_text(json.dumps(settings(job.cluster)))
        yield str(job.root / PACK), str(path)


@contextlib.contextmanager
def _failures(job: Job) -> Iterator[None]:
    """Pulumi's failures, as an error that says what to do; StackNotFoundError is for whoever asked.

    Raises:
        BusyError: the stack is locked.
        ClusterlabError: Pulumi ended with an error.
    """
    course = job.cluster.course
    try:
        yield
    except ConcurrentUpdateError as error:
        told = f"stack {course}: an update is under way, or one that was killed left its lock"
        raise BusyError(f"{told}; `pulumi cancel --stack {course}` takes it away where nothing runs") from error
    except CommandError as error:
        raise ClusterlabError(f"stack {course}: Pulumi ended with an error: {_last_line(str(error))}") from error


def _counted(changes: Mapping[Any, int]) -> dict[str, int]:
    """By Pulumi's word of an operation, which it gives as a text or as one of its own."""
    return {str(getattr(op, "value", op)): count for op, count in changes.items()}


def _last_line(text: str) -> str:
    """What Pulumi said last on stderr, without the marks of its own report."""
    lines = [line.strip() for line in text.partition("stderr:")[2].splitlines() if line.strip()]
    return (lines or [" ".join(text.split())[-300:]])[-1].removeprefix("error: ")

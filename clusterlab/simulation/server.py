"""The course's server: the policy that it asks, and its crontab of `meter`, `reap` and `enforce`, by its own clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from clusterlab.catalog import Catalog
from clusterlab.enforcement.threshold import SPENT, lease_of, of_course, passed
from clusterlab.errors import ClusterlabError
from clusterlab.gate import book
from clusterlab.ledger.ledger import Ledger
from clusterlab.metering import ec2
from clusterlab.metering.meter import meter, settle
from clusterlab.reaper.cloud import Cloud
from clusterlab.reaper.proof import Proof
from clusterlab.reaper.reap import Order, reap
from clusterlab.simulation.clock import Clock
from clusterlab.simulation.cloud import Account
from clusterlab.simulation.course import Course, Exercise
from clusterlab.simulation.task import Task
from clusterlab.tags import Tags


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """One run of a line of the crontab."""

    well: bool
    """Whether nothing failed and the server's clock was right."""
    proof: Proof | None = None
    why: str = ""

    @property
    def refused(self) -> set[str]:
        """The resources whose stop or end the cloud refused."""
        return {each.resource.id for each in self.proof.entries if each.error} if self.proof else set()


@dataclass(kw_only=True)
class Server:
    """One machine with a clock that may be wrong."""

    course: Course
    account: Account
    ledger: Ledger
    folder: Path
    """Where its keep-list, sightings and proofs are."""
    clock: Clock
    thresholds: dict[tuple[str, str], int] = field(default_factory=dict)
    """By scope and name the highest that was passed, in %."""

    def __post_init__(self) -> None:
        # What answers at once need not be asked for side by side.
        self._cloud = Cloud(session=self.account, num_threads=1)
        (self.folder / "keep.json").write_text('{"keep": "nothing"}')

    def admit(self, task: Task, exercise: Exercise) -> Tags:
        """Ask the course's policy for a launch; the tags of what is to be launched.

        Raises:
            ClusterlabError: the policy, the budget or the ledger refuses it.
        """
        from clusterlab.api_server import launch_of
        from clusterlab.policy import admit

        hold = partial(self._book, exercise)
        admit(launch_of(task), self.course.catalog, self.course.cluster, self.clock.server(), book=hold)
        return Tags.parse(task.envs["CLUSTERLAB_TAGS"])

    def meter(self) -> Round:
        """As `clusterlab meter` does."""
        try:
            at = self.clock.server()
            course, regions = self.course.name, [self.course.region]
            seen = ec2.observe(self.account, self.course.catalog, course=course, regions=regions, at=at)
            metered = meter(self.ledger, seen)
            settle(self.ledger, at)
            self.ledger.accrue()
        except ClusterlabError as error:
            return Round(well=False, why=str(error))
        return Round(well=not metered.problems and not self.clock.skew, why="; ".join(metered.problems))

    def reap(self) -> Round:
        """As `clusterlab reap --yes` does."""
        return self._sweep("reap")

    def enforce(self) -> Round:
        """As `clusterlab enforce --yes --keep` does, but for the notices."""
        try:
            self.ledger.accrue()
            spendings = of_course(self.ledger.spendings(), self.course.name)
        except ClusterlabError as error:
            return Round(well=False, why=str(error))
        spent = []
        for each in spendings:
            percent = passed(each)
            if percent:
                self.thresholds[each.budget.scope, each.budget.name] = percent
            if percent >= SPENT:
                spent.append(each)
        return self._sweep("enforce", terms=partial(lease_of, spent=spent))

    def _sweep(self, name: str, **more: Any) -> Round:
        order = Order(
            courses=[self.course.name],
            keep=str(self.folder / "keep.json"),
            state=str(self.folder / f"{name}-state.json"),
            proof=str(self.folder / f"{name}-proof.json"),
            yes=True,
            patience_seconds=0,
        )
        try:
            proof = reap(order, self._cloud, clock=self.clock.server, sleep=_at_once, **more)
        except ClusterlabError as error:
            return Round(well=False, why=str(error))
        return Round(well=not proof.failed and not self.clock.skew, proof=proof, why="; ".join(proof.faults))

    def _book(self, exercise: Exercise, task: Any, tags: Tags, catalog: Catalog, now: datetime) -> None:
        book(self.ledger, task, tags, exercise.lab, catalog, now)


def _at_once(seconds: float) -> None:
    """Nothing happens in between: the clock is the simulation's."""
    del seconds

"""What the acts of a class's rehearsal share: the class, its clock, its cloud, its ledger, and SkyPilot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from clusterlab.catalog import Catalog
from clusterlab.cluster import Cluster
from clusterlab.lab import Lab
from clusterlab.rehearsal.backend import REGION
from clusterlab.rehearsal.client import SkyPilot
from clusterlab.rehearsal.cloud import EmulatedCloud
from clusterlab.rehearsal.course.clock import Clock
from clusterlab.rehearsal.course.roles import Roles
from clusterlab.rehearsal.course.stack import EmulatedStack
from clusterlab.rehearsal.steps import StepError

if TYPE_CHECKING:
    from clusterlab.ledger.ledger import Ledger
    from clusterlab.reaper.cloud import Cloud

LEDGER = "ledger.db"
PROOF = "proof.json"


def _aws() -> Cloud:
    from clusterlab.reaper.cloud import Cloud

    return Cloud()


@dataclass(kw_only=True)
class Course:
    """One class while it is rehearsed."""

    root: Path
    out: Path
    cluster: Cluster
    """Of the file whose first day is today."""
    roles: Roles
    labs: Mapping[str, Lab]
    """With the class's label."""
    project: Lab
    """One that is none of the class's."""
    console: Console
    sky: SkyPilot
    cloud: EmulatedCloud
    clock: Clock
    catalog: Catalog
    """What the emulated cloud charges."""
    ledger: Ledger
    settings: Mapping[str, object] = field(default_factory=dict)
    """Of SkyPilot's configuration, beside what the stack exports."""
    bucket: str = ""
    pool: str | None = None
    """The tag `run` of the machines of the class's Ray, whose price its jobs share."""
    token: str = ""
    """That lets students in there."""
    aws: Cloud = field(default_factory=_aws)
    """The account as the reaper reaches it, its clients made once."""
    forwarded: list[str] = field(default_factory=list)
    """What was forwarded, and by how much."""

    @property
    def name(self) -> str:
        """Of the class."""
        return self.cluster.course

    @property
    def students(self) -> tuple[str, ...]:
        """Who takes part."""
        return self.cluster.students()

    @property
    def stack(self) -> EmulatedStack:
        """What the class's program made."""
        return EmulatedStack(folder=self.out)

    def open_ledger(self) -> Ledger:
        """The ledger once more, at the class's time, for who closes it."""
        from clusterlab.ledger.ledger import Ledger

        return Ledger.open(f"sqlite:///{self.out / LEDGER}", clock=self.clock.now)

    def sky_as(self, student: str, **variables: str) -> SkyPilot:
        """SkyPilot in a student's hands: one home for all of them, and a name of his own."""
        given = dict(self.sky.variables) | {"CLUSTERLAB_STUDENT": student} | variables
        return replace(self.sky, variables=given)

    def say(self, text: str) -> None:
        """A line of what happens, with the class's time."""
        self.console.print(
            f"{self.clock.now():        %a %H:%M}  {text}", highlight=False, markup=False, soft_wrap=True
        )

    def forward(self, why: str, **by: float) -> None:
        """Let time pass in which nobody computes; the meter looks before, so that nothing that ended is counted on."""
        self.meter()
        length = timedelta(**by)
        self.clock.forward(length)
        self.forwarded.append(f"{length} {why}")

    def meter(self) -> None:
        """Put on the ledger what is in use, as `clusterlab meter` does.

        Raises:
            StepError: something could not be seen or recorded.
        """
        from clusterlab.metering.meter import meter, settle
        from clusterlab.metering.sources import Sources

        sources = Sources(course=self.name, regions=(REGION,), pool=self.pool, catalog=self.catalog)
        at = self.clock.now()
        metered = [meter(self.ledger, each) for each in sources.observe(self.ledger.intervals, at)]
        settle(self.ledger, at)
        self.ledger.accrue()
        problems = [problem for each in metered for problem in each.problems]
        if problems:
            raise StepError("; ".join(problems))

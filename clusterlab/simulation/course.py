"""The course that is simulated: a class's labs, students and budgets, at any size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from decimal import ROUND_CEILING, Decimal
from itertools import cycle, islice
from pathlib import Path
from zoneinfo import ZoneInfo

from clusterlab.calendar import Dates
from clusterlab.catalog import Catalog, Row
from clusterlab.cluster import Cluster
from clusterlab.config import Scale
from clusterlab.errors import InputError, Problem
from clusterlab.infra import within
from clusterlab.lab import Lab
from clusterlab.offers import big_enough
from clusterlab.plan import plan
from clusterlab.roster import students_of
from clusterlab.simulation.task import Autostop, Resources, Task

CLOUD = "aws"
"""Where the meter and the reaper look; what a class has elsewhere is left out."""
WEEK = timedelta(weeks=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How large the semester is; None for what the class's file says."""

    num_students: int | None = None
    num_labs: int | None = None
    """The class's labs over and over, each launched once."""
    num_weeks: int | None = None

    def __post_init__(self) -> None:
        given = {"--students": self.num_students, "--labs": self.num_labs, "--weeks": self.num_weeks}
        problems = [
            Problem(path=option, message=f"{number}; allowed: from 1")
            for option, number in given.items()
            if number is not None and number < 1
        ]
        if problems:
            raise InputError(problems)

    def against(self, cluster: Cluster) -> Decimal:
        """How many times as many students there are as in the class."""
        own = cluster.num_students()
        return Decimal(self.num_students or own) / own


@dataclass(frozen=True, kw_only=True, slots=True)
class Exercise:
    """One lab that every student does."""

    name: str
    lab: Lab
    scale: Scale
    runs: int
    due: datetime
    machines: tuple[Row, ...]
    """That it may become, the cheapest first."""
    small_machines: tuple[Row, ...] = ()
    """The same at `small`, without a GPU; empty where it is not done so."""
    expected_usd: Decimal

    def at_small(self) -> Exercise:
        """The same on a small model, on a machine without a GPU."""
        return replace(self, scale=Scale.SMALL, machines=self.small_machines)

    def task(self, labels: dict[str, str], *, use_spot: bool) -> Task:
        """A launch of it, as `sky launch` has it of the lab's file."""
        asked, accelerators = self.lab.resources, self.lab.accelerators_at(self.scale)
        resources = Resources(
            accelerators=accelerators or None,
            cpus=f"{asked.min_vcpus.normalize():f}+",
            memory=f"{asked.min_memory_gib.normalize():f}+",
            disk_size=asked.disk_size_gb,
            use_spot=use_spot,
            labels=asked.labels | {"lab": self.name} | labels,
            autostop_config=Autostop(idle_minutes=asked.idle_minutes),
        )
        envs = self.lab.envs | {"SCALE": str(self.scale)}
        return Task(name=self.name, resources=[resources], envs=envs, num_nodes=self.lab.num_nodes, run=self.lab.run)


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """All of a semester that is not chance."""

    cluster: Cluster
    students: tuple[str, ...]
    exercises: tuple[Exercise, ...]
    start: datetime
    end: datetime
    student_usd: Decimal
    course_usd: Decimal
    catalog: Catalog
    """What it may use."""

    @property
    def name(self) -> str:
        """As its labels have it."""
        return self.cluster.course

    @property
    def region(self) -> str:
        """Where its machines are."""
        return self.exercises[0].machines[0].region

    @property
    def planned_usd(self) -> Decimal:
        """What all of it is expected to cost."""
        return sum((each.expected_usd * each.runs for each in self.exercises), Decimal(0)) * len(self.students)

    @classmethod
    def of(cls, cluster: Cluster, root: Path, size: Size) -> Course:
        """A class of the repository at `root`.

        Raises:
            InputError: it has no dates, labs, students or budgets, or nothing in AWS that a lab could run on.
        """
        dates, zone = _dates(cluster), ZoneInfo(cluster.time_zone or "UTC")
        catalog = cluster.offered(Catalog.load())
        start = datetime.combine(dates.start, time(), zone).astimezone(UTC)
        last = datetime.combine(dates.end + timedelta(days=1), time(), zone).astimezone(UTC)
        end = last if size.num_weeks is None else start + size.num_weeks * WEEK
        own = list(_exercises(cluster, root, _in_aws(cluster, catalog), zone, end))
        labs = _spread(own, start, end, size) if size.num_labs or size.num_weeks else own
        students = students_of(size.num_students or cluster.roster, path=str(cluster.path))
        # A budget is as generous as the class's own, whatever the size.
        more = _usd(labs) / _usd(own)
        return cls(
            cluster=cluster,
            students=students,
            exercises=tuple(labs),
            start=start,
            end=end,
            student_usd=_cents((cluster.budget.student_usd or Decimal(0)) * more),
            course_usd=_cents((cluster.budget.course_usd or Decimal(0)) * more * size.against(cluster)),
            catalog=catalog,
        )


def _dates(cluster: Cluster) -> Dates:
    """When the class is, where it says all that a semester needs."""
    needed = {
        "dates": cluster.dates,
        "labs": cluster.labs,
        "roster": cluster.roster,
        "budget_usd.course": cluster.budget.course_usd,
        "budget_usd.student": cluster.budget.student_usd,
    }
    problems = [
        Problem(path=str(cluster.path), key=key, message="missing; a semester cannot be simulated without")
        for key, value in needed.items()
        if not value
    ]
    if problems or cluster.dates is None:
        raise InputError(problems)
    return cluster.dates


def _in_aws(cluster: Cluster, catalog: Catalog) -> Catalog:
    places = [each for each in cluster.infra if each.cloud == CLOUD][:1]
    if not places:
        message = "has nothing in AWS, where the reaper and the meter look; allowed: such as [aws/us-east-1]"
        raise InputError(Problem(path=str(cluster.path), key="infra", message=message))
    return within(catalog, places, path=str(cluster.path), key="infra")


def _exercises(cluster: Cluster, root: Path, catalog: Catalog, zone: ZoneInfo, end: datetime) -> Iterator[Exercise]:
    for each in cluster.labs:
        lab = Lab.load(root / "labs" / f"{each.lab}.yaml")
        scale = each.scale or Scale(lab.envs["SCALE"])
        due = end if each.due is None else datetime.combine(each.due + timedelta(days=1), time(), zone).astimezone(UTC)
        estimate = plan(lab, catalog, today=end.date()).at(scale)
        usd = estimate.expected.usd if estimate else None
        made = Exercise(
            name=lab.name, lab=lab, scale=scale, runs=each.runs, due=due, machines=(), expected_usd=usd or Decimal(0)
        )
        machines = _machines(made, catalog)
        if usd is None or not machines:
            message = f"{each.lab} has no machine of a known price at {scale} in AWS"
            raise InputError(Problem(path=str(cluster.path), key=f"labs.{each.lab}", message=message))
        local = Scale.SMALL in lab.scales and lab.at(Scale.SMALL).local
        small = _machines(replace(made, scale=Scale.SMALL), catalog) if local else ()
        yield replace(made, machines=machines, small_machines=small)


def _machines(exercise: Exercise, catalog: Catalog) -> tuple[Row, ...]:
    """What its task can become at a known price, the cheapest first."""
    [resources] = exercise.task({}, use_spot=False).resources
    rows = [row for row in big_enough(resources, catalog) if row.on_demand_usd is not None]
    return tuple(sorted(rows, key=lambda row: (row.on_demand_usd or 0, row.name)))


def _spread(own: list[Exercise], start: datetime, end: datetime, size: Size) -> list[Exercise]:
    """So many labs, due at even distances."""
    number = size.num_labs or len(own)
    chosen = islice(cycle(own), number)
    return [
        replace(
            each,
            name=each.name if number <= len(own) else f"{each.name}-{index // len(own) + 1}",
            runs=1 if size.num_labs else each.runs,
            due=start + (end - start) * (index + 1) / number,
        )
        for index, each in enumerate(chosen)
    ]


def _usd(labs: Iterable[Exercise]) -> Decimal:
    return sum((each.expected_usd * each.runs for each in labs), Decimal(0))


def _cents(usd: Decimal) -> Decimal:
    return usd.quantize(Decimal("0.01"), ROUND_CEILING)

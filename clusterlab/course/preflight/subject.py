"""What is looked at before a class begins: its file, its roster, its labs, and what its places offer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from clusterlab.assignment import Assignment
from clusterlab.catalog import LOCAL, Catalog, Row
from clusterlab.cluster import Cluster
from clusterlab.config import Scale
from clusterlab.errors import InputError, Problem
from clusterlab.lab import Lab
from clusterlab.plan import candidates
from clusterlab.repository import load_labs


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """A lab as each student does it, and what it can become at the class's places."""

    lab: Lab
    scale: Scale
    due: date | None
    use_spot: bool
    machines: tuple[Row, ...]
    """Of clouds; none where it runs on the student's own."""
    missing: tuple[str, ...]
    """What it accepts of which the catalog has no machine there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """One class."""

    cluster: Cluster
    root: Path
    problems: tuple[Problem, ...]
    """What keeps its file from being provisioned."""
    students: tuple[str, ...] | None
    """None where the roster cannot be read, which is one of the problems."""
    catalog: Catalog
    """What it may use."""
    works: tuple[Work, ...]
    today: date

    @classmethod
    def load(cls, path: Path, root: Path, everything: Catalog, *, today: date) -> Subject:
        """Read a class and its labs.

        Raises:
            InputError: every fault of the form of these files; what is missing in them is a problem, told later.
        """
        cluster = Cluster.load(path, catalog=everything)
        if not cluster.labs:
            raise InputError(
                Problem(path=str(path), key="labs", message="missing; allowed: labs by name, such as qlora:")
            )
        catalog = cluster.offered(everything)
        labs = load_labs(root / "labs" / f"{each.lab}.yaml" for each in cluster.labs)
        return cls(
            cluster=cluster,
            root=root,
            problems=_problems(path, everything),
            students=_students(cluster),
            catalog=catalog,
            works=tuple(_work(*each, catalog) for each in zip(cluster.labs, labs, strict=True)),
            today=today,
        )

    def machines(self, cloud: str) -> tuple[Row, ...]:
        """Whatever its labs can become in a cloud, once each."""
        found = (row for work in self.works for row in work.machines if row.cloud == cloud)
        return tuple(dict.fromkeys(found))


def _problems(path: Path, catalog: Catalog) -> tuple[Problem, ...]:
    try:
        Cluster.load(path, catalog=catalog, to_provision=True)
    except InputError as error:
        return error.problems
    return ()


def _students(cluster: Cluster) -> tuple[str, ...] | None:
    try:
        return cluster.students()
    except InputError:
        return None


def _work(assignment: Assignment, lab: Lab, catalog: Catalog) -> Work:
    scale = assignment.scale or Scale(lab.envs["SCALE"])
    machines, missing = candidates(lab, catalog, scale)
    return Work(
        lab=lab,
        scale=scale,
        due=assignment.due,
        use_spot=lab.resources.use_spot,
        machines=tuple(row for row in machines if row.cloud != LOCAL),
        missing=tuple(missing),
    )

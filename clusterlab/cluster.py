"""A class, from `clusters/<course>.yaml`: where its machines may be, who takes part, which labs, and what it may cost.

When it is, who teaches and its network are what its infrastructure needs beside.

A lab belongs to the class that its label `course` names. Where that has no file, nobody has said where its machines may
be, and they may be wherever the catalog has a price.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from clusterlab.assignment import Assignment, read_assignments
from clusterlab.calendar import Dates, Hours, read_dates, read_holidays, read_hours, read_time_zone
from clusterlab.catalog import LOCAL, Catalog, Kind, Row
from clusterlab.class_budget import Budget, Limits, read_budget, read_limits
from clusterlab.class_check import check_places, check_provisioned
from clusterlab.document import Document
from clusterlab.errors import InputError, Problem
from clusterlab.google_project import GoogleProject, read_project
from clusterlab.infra import Infra, within
from clusterlab.kept import read_keep
from clusterlab.network_plan import NetworkPlan, read_network
from clusterlab.roster import Roster, read_emails, read_roster, read_teams, students_of
from clusterlab.server_plan import ServerPlan, read_server
from clusterlab.tags import LABEL

FOLDER = Path("clusters")
KEYS = {"course", "infra", "instances", "roster", "teams", "instructors", "labs", "budget_usd"}
KEYS_OF_ITS_LIFE = {"limits", "warm_minutes", "keep"}
KEYS_OF_PROVISIONING = {"mode", "dates", "time_zone", "hours", "holidays", "network", "server", "file_system", "gcp"}
MAX_WARM_MINUTES = 240
"""What nobody uses yet is paid all the same."""

E = TypeVar("E", bound=StrEnum)


class Mode(StrEnum):
    """Where labs run."""

    PER_STUDENT = "per-student"
    """Each launch has machines of its own."""
    SHARED = "shared"
    """All submit to one cluster of the class."""


class FileSystem(StrEnum):
    """What the machines of a class share."""

    EFS = "efs"
    """By the GB that is in it, in every zone."""
    LUSTRE = "lustre"
    """FSx for Lustre: faster, in one zone, by the GB that it could hold."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """One class."""

    path: Path
    course: str
    infra: tuple[Infra, ...]
    """Where its machines may be, and nowhere else."""
    instances: tuple[str, ...]
    """Machines that it may use, as the cloud calls them; empty for all that the catalog has at its places."""
    roster: Roster
    teams: Mapping[str, tuple[str, ...]]
    instructors: tuple[str, ...]
    """Who teaches, by e-mail."""
    labs: tuple[Assignment, ...]
    budget: Budget
    mode: Mode
    dates: Dates | None
    time_zone: str | None
    hours: tuple[Hours, ...]
    holidays: tuple[Dates, ...]
    network: NetworkPlan
    server: bool
    """Whether the class has an API server of SkyPilot's."""
    server_plan: ServerPlan
    """What is said of it."""
    file_system: FileSystem
    gcp: GoogleProject | None
    limits: Limits
    """What each student may use of the shared cluster."""
    warm_minutes: int
    """How long before its hours machines are brought up; 0 for never."""
    keep: Mapping[str, str]
    """What its end leaves alone, ids and tags, and why."""

    @classmethod
    def load(cls, path: Path, *, catalog: Catalog | None = None, to_provision: bool = False) -> Cluster:
        """Read a class, whose places and machines must be in the catalog, ours where none is given.

        To provision it, more must be said, and the roster's file is read too.

        Raises:
            InputError: every fault of the file.
        """
        document = Document.load(path, [])
        document.refuse_unknown("", KEYS | KEYS_OF_PROVISIONING | KEYS_OF_ITS_LIFE)
        cluster = cls._read(document)
        check_places(cluster, document, Catalog.load() if catalog is None else catalog)
        if to_provision:
            check_provisioned(cluster, document)
        if document.problems:
            raise InputError(document.problems)
        return cluster

    @classmethod
    def _read(cls, document: Document) -> Cluster:
        dates = read_dates(document, "dates")
        server, server_plan = read_server(document, "server")
        return cls(
            path=document.path,
            course=_course(document),
            infra=read_infra(document, "infra"),
            instances=_instances(document),
            roster=read_roster(document, "roster"),
            teams=read_teams(document, "teams"),
            instructors=read_emails(document, "instructors"),
            labs=tuple(read_assignments(document, "labs", dates)),
            budget=read_budget(document, "budget_usd"),
            mode=_choice(document, "mode", Mode.PER_STUDENT),
            dates=dates,
            time_zone=read_time_zone(document, "time_zone"),
            hours=read_hours(document, "hours"),
            holidays=read_holidays(document, "holidays"),
            network=read_network(document, "network"),
            server=server,
            server_plan=server_plan,
            file_system=_choice(document, "file_system", FileSystem.EFS),
            gcp=read_project(document, "gcp"),
            limits=read_limits(document, "limits"),
            warm_minutes=_warm_minutes(document),
            keep=read_keep(document, "keep"),
        )

    def offered(self, catalog: Catalog) -> Catalog:
        """What of the catalog the class may use: at its places, and of machines those that it allows.

        Raises:
            InputError: the catalog has nothing at one of its places.
        """
        there = within(catalog, self.infra, path=str(self.path), key="infra")
        return Catalog(rows=tuple(row for row in there.rows if self._allows(row)))

    def _allows(self, row: Row) -> bool:
        anything = not self.instances or row.cloud == LOCAL or row.kind is not Kind.MACHINE
        return anything or row.name in self.instances

    def students(self) -> tuple[str, ...]:
        """Who takes part, as labels.

        Raises:
            InputError: nobody has said, or the roster's file cannot be read.
        """
        return students_of(self.roster, path=str(self.path))

    def team_of(self, student: str) -> str | None:
        """In which team somebody is."""
        return next((team for team, members in self.teams.items() if student in members), None)

    def num_students(self) -> int:
        """How many take part.

        Raises:
            InputError: nobody has said, or the roster's file cannot be read.
        """
        return len(self.students())

    def regions(self, cloud: str) -> tuple[str, ...]:
        """Where in a cloud its machines may be, in the file's order; of a whole cloud, where the catalog has prices."""
        found: list[str] = []
        for each in self.infra:
            if each.cloud == cloud and each.region is None:
                found += [row.region for row in Catalog.load().rows if each.holds(row)]
            elif each.cloud == cloud and each.region is not None:
                found.append(each.region)
        return tuple(dict.fromkeys(found))


def class_paths(folder: Path) -> list[Path]:
    """The classes of a folder, in order of name; a file without a course, such as a computing centre's, is none."""
    return sorted(path for path in folder.glob("*.yaml") if "\ncourse:" in f"\n{path.read_text()}")


def class_path(course: str, root: Path) -> Path:
    """The file of a class in the repository at `root`.

    Raises:
        InputError: there is none.
    """
    path = root / FOLDER / f"{course}.yaml"
    found = [each.stem for each in class_paths(root / FOLDER)]
    if course not in found:
        message = f"there is no such class; allowed: {', '.join(found)}"
        raise InputError(Problem(path=str(path), message=message))
    return path


def offered(catalog: Catalog, course: str | None, root: Path) -> Catalog:
    """What of the catalog a course may use, by its class's file in the repository at `root`; all where there is none.

    Raises:
        InputError: that file has a fault.
    """
    cluster = class_of(course, root, catalog)
    return catalog if cluster is None else cluster.offered(catalog)


def class_of(course: str | None, root: Path, catalog: Catalog) -> Cluster | None:
    """The class of a course, by its file in the repository at `root`; None where there is none.

    Raises:
        InputError: that file has a fault.
    """
    if course is None or not LABEL.fullmatch(course):
        return None
    path = root / FOLDER / f"{course}.yaml"
    return Cluster.load(path, catalog=catalog) if path.is_file() else None


def _course(document: Document) -> str:
    course = document.text_at("course")
    if course and course != document.path.stem:
        document.complain("course", f"{course!r}; allowed: {document.path.stem}, as the file is named")
    return course


def read_infra(document: Document, key: str) -> tuple[Infra, ...]:
    """A list of places; what is wrong goes to the document's problems."""
    given = document.at(key)
    if not isinstance(given, list) or not given or not all(isinstance(each, str) for each in given):
        document.complain(key, "missing; allowed: a list of clouds or their regions, such as [aws/us-east-1]")
        return ()
    found = []
    for each in given:
        try:
            found.append(Infra.parse(each, path=str(document.path), key=key))
        except InputError as error:
            document.problems.extend(error.problems)
    return tuple(found)


def _instances(document: Document) -> tuple[str, ...]:
    given = document.at("instances")
    if given is not None and not (isinstance(given, list) and given):
        document.complain("instances", f"{given!r}; allowed: a list of machines, such as [g6.xlarge], or no such key")
        return ()
    return tuple(map(str, given or ()))


def _choice(document: Document, key: str, default: E) -> E:
    given, kind = document.at(key), type(default)
    if given is None or given in set(kind):
        return kind(given or default)
    document.complain(key, f"{given!r}; allowed: {', '.join(kind)}")
    return default


def _warm_minutes(document: Document) -> int:
    minutes = document.integer_at("warm_minutes", default=0)
    if minutes > MAX_WARM_MINUTES:
        document.complain("warm_minutes", f"{minutes}; allowed: 0 to {MAX_WARM_MINUTES}, 0 for never")
    return minutes

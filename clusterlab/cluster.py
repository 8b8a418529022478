"""A class, from `clusters/<course>.yaml`: where its machines may be.

A lab belongs to the class that its label `course` names. Where that has no file, nobody has said where its machines may
be, and they may be wherever the catalog has a price.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clusterlab.catalog import Catalog
from clusterlab.document import Document
from clusterlab.errors import InputError
from clusterlab.infra import Infra, within
from clusterlab.tags import LABEL

FOLDER = Path("clusters")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """One class."""

    path: Path
    course: str
    infra: tuple[Infra, ...]
    """Where its machines may be, and nowhere else."""

    @classmethod
    def load(cls, path: Path) -> Cluster:
        """Read a class.

        Raises:
            InputError: every fault of the file.
        """
        document = Document.load(path, [])
        document.refuse_unknown("", {"course", "infra"})
        cluster = cls(path=path, course=_course(document), infra=read_infra(document, "infra"))
        if document.problems:
            raise InputError(document.problems)
        return cluster

    def offered(self, catalog: Catalog) -> Catalog:
        """What of the catalog the class may use.

        Raises:
            InputError: the catalog has nothing at one of its places.
        """
        return within(catalog, self.infra, path=str(self.path), key="infra")


def offered(catalog: Catalog, course: str | None, root: Path) -> Catalog:
    """What of the catalog a course may use, by its class's file in the repository at `root`; all where there is none.

    Raises:
        InputError: that file has a fault.
    """
    if course is None or not LABEL.fullmatch(course):
        return catalog
    path = root / FOLDER / f"{course}.yaml"
    return Cluster.load(path).offered(catalog) if path.is_file() else catalog


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

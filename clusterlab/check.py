"""Check labs with their sidecars, and classes, against the house's rules, offline; every fault in one go.

clusterlab check
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from clusterlab import skypilot
from clusterlab.closest import hint
from clusterlab.cluster import FOLDER, Cluster, class_paths
from clusterlab.errors import InputError, Problem
from clusterlab.images.image import PATH, Images
from clusterlab.images.rule import image_problems
from clusterlab.lab import SIDECAR_SUFFIX, documents, lab_paths, sidecar_path
from clusterlab.rules import SIDECAR_RULES, TASK_RULES, Subject


def check(paths: Iterable[Path], root: Path, *, strict: bool = False) -> list[Problem]:
    """Every fault of the labs and classes at `paths`, whose jobs and images are those of the repository at `root`.

    A sidecar stands for its lab. Where `strict`, an image must be one whose digest its registry gave.
    """
    files = dict.fromkeys(path if is_class(path) else _lab_of(path) for path in paths)
    problems: list[Problem] = []
    images = _images(root, problems)
    for path in files:
        problems += _class_faults(path, root) if is_class(path) else _faults(path, root, images, strict=strict)
    return problems


def is_class(path: Path) -> bool:
    """Whether a file is read as a class, by its folder."""
    return path.absolute().parent.name == FOLDER.name


def all_paths(root: Path) -> list[Path]:
    """What `check` looks at in a repository: its labs, the sidecars that have none, and its classes."""
    labs = {_lab_of(path) for path in (root / "labs").glob("*.yaml")}
    return [*sorted(labs), *class_paths(root / FOLDER)]


def _lab_of(path: Path) -> Path:
    if not path.name.endswith(SIDECAR_SUFFIX):
        return path
    return path.with_name(path.name.removesuffix(SIDECAR_SUFFIX) + ".yaml")


def _images(root: Path, problems: list[Problem]) -> Images | None:
    """The repository's images; None where it has none, or they cannot be read, which is a problem then."""
    path = root / PATH
    try:
        return Images.load(path) if path.is_file() else None
    except InputError as error:
        problems += [replace(each, path=str(PATH)) for each in error.problems]
        return None


def _faults(path: Path, root: Path, images: Images | None, *, strict: bool) -> list[Problem]:
    sidecar = sidecar_path(path)
    if sidecar.is_file() and not path.is_file():
        return [Problem(path=str(sidecar), message=f"a sidecar without its lab; {path} is missing")]
    problems: list[Problem] = []
    try:
        task, expected = documents(path, problems)
    except InputError as error:
        return list(error.problems)
    subject = Subject.of(task, expected, root)
    problems += _broken_rules(subject)
    if subject.task.readable:
        problems += image_problems(subject, images, strict=strict)
    return list(dict.fromkeys(problems))


def _broken_rules(subject: Subject) -> Iterator[Problem]:
    if subject.task.readable:
        for rule in TASK_RULES:
            yield from rule(subject)
        yield from skypilot.problems(subject.task)
    if subject.sidecar.readable:
        for rule in SIDECAR_RULES:
            yield from rule(subject)


def _class_faults(path: Path, root: Path) -> Iterator[Problem]:
    """What is wrong with a class's form and its roster, and which of its labs there is none of."""
    try:
        cluster = Cluster.load(path)
        if cluster.roster is not None:
            cluster.students()
    except InputError as error:
        yield from error.problems
        return
    known = [lab.stem for lab in lab_paths(root / "labs")]
    for assignment in cluster.labs:
        if assignment.lab not in known:
            message = f"no such lab; {hint(assignment.lab, known)}allowed: {', '.join(known) or 'none here'}"
            yield Problem(path=str(path), key=f"labs.{assignment.lab}", message=message)

"""What the class launches, as its instructor has it: the labs with the class's label, and the class's file of today."""

from __future__ import annotations

import re
import shutil
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from clusterlab.cluster import Cluster
from clusterlab.lab import Lab
from clusterlab.rehearsal.launch import SHARED

PROJECT = "qlora"
"""What students try beyond the class's labs: long enough to be taken back in the middle, and dear at its full scale."""
LABEL = re.compile(r"(?m)(?<=[{ ])course: *[a-z0-9_-]+")


def move_class(path: Path, folder: Path, today: date) -> Cluster:
    """Write a class's file anew, its first day today and its students by name, and read it.

    A file system of a class that was over months ago would be over its lease in a rehearsal, too.

    Raises:
        InputError: the file has a fault.
    """
    cluster = Cluster.load(path, to_provision=True)
    values = yaml.safe_load(path.read_text())
    start = cluster.dates.start if cluster.dates else today
    moved = _moved(values, today - start) | {"roster": list(cluster.students())}
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / path.name
    target.write_text(yaml.safe_dump(moved, sort_keys=False))
    return Cluster.load(target, to_provision=True)


def copy_lab(lab: str, course: str, root: Path, folder: Path) -> Lab:
    """A lab with the class's label, and its sidecar.

    Raises:
        InputError: there is no such lab, or it has a fault.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source = root / "labs" / f"{lab}.yaml"
    Lab.load(source)
    shutil.copy(root / "labs" / f"{lab}.expected.yaml", folder)
    target = folder / source.name
    target.write_text(_of_course(source.read_text(), course))
    return Lab.load(target)


def copy_shared(course: str, root: Path, folder: Path) -> Path:
    """The task of the class's Ray cluster, with the class's label."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / SHARED
    target.write_text(_of_course((root / SHARED).read_text(), course))
    return target


def _of_course(text: str, course: str) -> str:
    return LABEL.sub(f"course: {course}", text)


def _moved(value: Any, by: timedelta) -> Any:
    if isinstance(value, dict):
        return {key: _moved(each, by) for key, each in value.items()}
    if isinstance(value, list):
        return [_moved(each, by) for each in value]
    return value + by if isinstance(value, date) and not isinstance(value, datetime) else value

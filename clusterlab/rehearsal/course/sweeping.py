"""The reaper's orders in a class's rehearsal: their papers lie in its folder, and they keep what the class keeps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from clusterlab.rehearsal.backend import REGION

if TYPE_CHECKING:
    from clusterlab.reaper.reap import Order
    from clusterlab.rehearsal.course.course import Course

KEEP = "keep.json"


def write_keep(course: Course) -> None:
    """The keep-list of the class's file."""
    kept = dict(course.cluster.keep) or "nothing"
    (course.out / KEEP).write_text(json.dumps({"keep": kept}) + "\n")


def order(course: Course, what: str) -> Order:
    """A sweep with papers of its own: `enforce` or `reap`."""
    from clusterlab.reaper.reap import Order

    return Order(
        courses=[course.name],
        keep=str(course.out / KEEP),
        state=str(course.out / f"{what}-seen.json"),
        proof=str(course.out / f"{what}-proof.json"),
        yes=True,
        regions=(REGION,),
    )

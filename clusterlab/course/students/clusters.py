"""The last step: the class's own clusters, as `clusterlab class warm` brings them up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlab.cluster import Cluster, Mode
from clusterlab.course.place import OWN, write
from clusterlab.course.students.caps import listed
from clusterlab.course.students.steps import Step
from clusterlab.errors import ClusterlabError

if TYPE_CHECKING:
    from rich.console import Console

    from clusterlab.course.fleet.warm import Warmed

Bring = Callable[[], "Warmed"]
LATER = "the class does not meet now; `clusterlab class warm` brings its clusters up before it does, --clusters at once"


def when_due(cluster: Cluster, root: Path, console: Console, *, now: bool) -> Bring | None:
    """What brings the clusters up; None where nobody asks for it `now`, and the calendar does not either."""
    from clusterlab.course.fleet.command import warm_once
    from clusterlab.course.fleet.crew import AT_ONCE
    from clusterlab.course.fleet.session import session_at

    if not now and not (cluster.warm_minutes and session_at(cluster, datetime.now(UTC))):
        return None
    return partial(warm_once, cluster, root, console, students=(), lab=None, at_once=AT_ONCE, now=now)


def bring_clusters(bring: Bring | None, cluster: Cluster, step: Step) -> None:
    """Bring them up, those that are missing.

    Raises:
        ClusterlabError: one is missing still.
        UnreachableError: SkyPilot's server does not answer.
    """
    if bring is None:
        step.notes += [LATER] if cluster.warm_minutes else []
        return
    warmed = bring()
    new = [errand.name for errand in warmed.errands if errand.tries]
    if warmed.missing:
        raise ClusterlabError("\n".join(f"cluster {each.name}: {each.word}: {each.reason}" for each in warmed.missing))
    step.did += [f"{listed(new)} up"] if new else []


def write_ray_token(folder: Path, cluster: Cluster, root: Path) -> list[str]:
    """Put the token of the cluster that all share into a student's folder; what of it was new.

    Raises:
        StorageError: the folder cannot be written.
    """
    from clusterlab.course.fleet.want import TOKEN, token_of

    if cluster.mode is not Mode.SHARED:
        return []
    return ["Ray's token"] if write(folder / TOKEN, token_of(cluster.course, root), mode=OWN) else []

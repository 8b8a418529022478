"""What a class's clusters are to be at an instant, by its calendar, and have them so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from clusterlab.cluster import Cluster
from clusterlab.course.fleet.crew import Crew
from clusterlab.course.fleet.errand import Errand, Phase
from clusterlab.course.fleet.fleet import bring_up, take_in
from clusterlab.course.fleet.launcher import Want
from clusterlab.course.fleet.session import Session, next_session, session_at, today
from clusterlab.course.fleet.want import wants
from clusterlab.course.place import class_folder
from clusterlab.run import write_atomically

REMEMBERED = "warmed.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Warmed:
    """What was done, and why."""

    why: str
    errands: Sequence[Errand]
    in_flight: int = 0
    """How many were under way together, at most."""

    @property
    def missing(self) -> list[Errand]:
        """What did not come about."""
        return [errand for errand in self.errands if errand.phase is not Phase.DONE]

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "why": self.why,
            "clusters": [errand.as_json() for errand in self.errands],
            "missing": [errand.name for errand in self.missing],
            "in_flight": self.in_flight,
        }


def warm(
    cluster: Cluster,
    root: Path,
    crew: Crew,
    *,
    at: datetime,
    now: bool = False,
    lab: str | None = None,
    students: Sequence[str] = (),
) -> Warmed:
    """Bring up what the class needs at an instant, or take in what idles; with `now`, bring it up whatever the hour.

    What was up once for a meeting is not brought up for it again: its student took it down, or the cluster ended
    itself since nobody came.

    Raises:
        InputError: the class's file, its labs or its roster have a fault.
        UnreachableError: SkyPilot's server does not answer.
        LaunchError: it does not say what is there.
        StorageError: what was up cannot be written down.
    """
    session = session_at(cluster, at)
    day = today(cluster, session.start if session else at)
    everything = wants(cluster, root, day=day, occasion=str(session or day), lab=lab, students=students)
    if now:
        # Outside of the hours they wait no longer than a lab's own machines.
        shown = everything if session else [_waiting(want, want.idle_minutes_after) for want in everything]
        return Warmed(why="asked for now", errands=bring_up(shown, crew), in_flight=crew.most_at_once)
    if session is None:
        return Warmed(why=_outside(cluster, at), errands=take_in(everything, crew) if cluster.hours else [])
    if not cluster.warm_minutes:
        return Warmed(why=f"{session}: warm_minutes is 0, so students launch themselves", errands=[])
    errands = _once(everything, crew, class_folder(cluster.course, root), session)
    return Warmed(why=f"the class meets {session}", errands=errands, in_flight=crew.most_at_once)


def _once(everything: Sequence[Want], crew: Crew, folder: Path, session: Session) -> list[Errand]:
    known = _remembered(folder / REMEMBERED, session)
    errands = bring_up([want for want in everything if want.name not in known], crew)
    known |= {errand.name for errand in errands if errand.phase is Phase.DONE}
    write_atomically(folder / REMEMBERED, json.dumps({"session": str(session), "up": sorted(known)}, indent=2) + "\n")
    return errands


def _remembered(path: Path, session: Session) -> set[str]:
    """What was up for this meeting; nothing where the file is of another, or was spoilt."""
    try:
        values = json.loads(path.read_text())
        return set(map(str, values["up"])) if values["session"] == str(session) else set()
    except (OSError, ValueError, TypeError, LookupError):
        return set()


def _waiting(want: Want, minutes: int) -> Want:
    resources = dict(want.task["resources"])
    task = {**want.task, "resources": resources | {"autostop": {"idle_minutes": minutes, "down": True}}}
    return replace(want, task=task, idle_minutes=minutes)


def _outside(cluster: Cluster, at: datetime) -> str:
    if not cluster.hours:
        return "the class has no hours, so nothing is due"
    coming = next_session(cluster, at)
    return f"the class does not meet; next {coming}" if coming else "the class is over"

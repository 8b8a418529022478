"""What the scans before saw, kept in a small file: without it no scan would be a second one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from clusterlab.errors import InputError, Problem
from clusterlab.reaper.place import Place
from clusterlab.reaper.proof import by_line
from clusterlab.reaper.step import Sighting

FORMAT = "clusterlab-reaper-1"


def read(place: Place, account: str, courses: Sequence[str]) -> dict[str, Sighting]:
    """The sightings by resource; none where no scan was made.

    Raises:
        InputError: what lies there is none of ours, was cut off, or is of another account or other courses, whose
            scans would forget each other's.
    """
    text = place.read()
    if text is None:
        return {}
    try:
        document = json.loads(text)
        found = {key: _sighting(values) for key, values in document["sightings"].items()}
        whose = document["format"], document["account"], list(map(str, document["courses"]))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        message = f"no sightings of the reaper: {type(error).__name__}; remove it, and the next scan is the first"
        raise InputError(Problem(path=place.path, message=message)) from error
    if whose != (FORMAT, account, sorted(courses)):
        message = f"is of {_told(*whose)}; allowed: {_told(FORMAT, account, sorted(courses))}, or another place"
        raise InputError(Problem(path=place.path, message=message))
    return found


def write(place: Place, account: str, courses: Sequence[str], sightings: Mapping[str, Sighting]) -> None:
    """Keep them for the next scan.

    Raises:
        StorageError: they cannot be written.
    """
    shown = {key: _values(each) for key, each in sorted(sightings.items())}
    head = {"format": FORMAT, "account": account, "courses": sorted(courses)}
    place.write(by_line(head | {"sightings": shown}))


def _told(kind: str, account: str, courses: Sequence[str]) -> str:
    return f"{kind}, account {account}, {', '.join(courses)}"


def _values(each: Sighting) -> dict[str, str | None]:
    return {
        "first": each.first.isoformat(),
        "over": each.over.isoformat() if each.over else None,
        "due": each.due.isoformat() if each.due else None,
    }


def _sighting(values: Mapping[str, Any]) -> Sighting:
    return Sighting(
        first=_instant(values["first"]),
        over=_instant(values["over"]) if values["over"] else None,
        due=_instant(values["due"]) if values["due"] else None,
    )


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)

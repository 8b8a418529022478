"""Since when each GPU has been low, kept from look to look in a small file, so that one look an hour is no idleness."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from clusterlab.errors import InputError, Problem, StorageError
from clusterlab.run import write_atomically

FORMAT = "clusterlab-gpu-looks-1"
LONGEST_GAP = timedelta(minutes=15)
"""Between two looks: beyond it nobody knows what was in between."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Low:
    """A GPU that was low at each look from one to another."""

    since: datetime
    last: datetime
    num_looks: int

    @property
    def lasted(self) -> timedelta:
        """How long that is known of."""
        return self.last - self.since


def after(before: Mapping[str, Low], low: Iterable[str], seen: Iterable[str], now: datetime) -> dict[str, Low]:
    """What is known after one more look.

    Args:
        before: What was known.
        low: The GPUs that are low now.
        seen: All that were measured; of another one that is not known is as it was, as long as that is not long ago.
        now: When this look was, in UTC.
    """
    fresh = {key: each for key, each in before.items() if timedelta() <= now - each.last <= LONGEST_GAP}
    measured = set(seen)
    found = {key: each for key, each in fresh.items() if key not in measured}
    for key in low:
        known = fresh.get(key)
        since, num = (known.since, known.num_looks) if known else (now, 0)
        found[key] = Low(since=since, last=now, num_looks=num + 1)
    return found


def read(path: Path) -> dict[str, Low]:
    """What the looks before saw; nothing where there was none.

    Raises:
        InputError: what lies there is none of ours.
    """
    try:
        document = json.loads(path.read_text())
        if document["format"] != FORMAT:
            raise ValueError(document["format"])
        return {
            str(key): Low(since=_instant(each["since"]), last=_instant(each["last"]), num_looks=int(each["num_looks"]))
            for key, each in document["low"].items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        message = f"no looks at GPUs: {type(error).__name__}; remove it, and the next look is the first"
        raise InputError(Problem(path=str(path), message=message)) from error


def write(path: Path, lows: Mapping[str, Low]) -> None:
    """Keep them for the next look.

    Raises:
        StorageError: they cannot be written.
    """
    shown = {
        key: {"since": each.since.isoformat(), "last": each.last.isoformat(), "num_looks": each.num_looks}
        for key, each in sorted(lows.items())
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps({"format": FORMAT, "low": shown}, indent=1))
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error}") from error


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)

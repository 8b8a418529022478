"""What was told already, kept in a small file: each threshold of a cap is told once to each place."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clusterlab.errors import InputError, Problem, StorageError
from clusterlab.ledger.spending import Spending
from clusterlab.run import write_atomically

FORMAT = "clusterlab-enforcement-1"


@dataclass(kw_only=True, slots=True)
class Memory:
    """Of one course; it is written after each notice, so who is killed tells one twice at most, and none never."""

    path: Path
    course: str
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By scope and name: the cap in dollars as a text, and by the notifier's name the last threshold, in %."""

    @classmethod
    def read(cls, path: Path, course: str) -> Memory:
        """What lies there; nothing where there is no file.

        Raises:
            InputError: it cannot be read, was cut off, is none of ours, or of another course.
        """
        try:
            text = path.read_text() if path.exists() else None
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(Problem(path=str(path), message=f"cannot be read: {error}")) from error
        if text is None:
            return cls(path=path, course=course)
        try:
            document = json.loads(text)
            told = {key: _values(values) for key, values in document["told"].items()}
            whose = document["format"], document["course"]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            message = f"no memory of `enforce`: {type(error).__name__}; remove it, and all is told again"
            raise InputError(Problem(path=str(path), message=message)) from error
        if whose != (FORMAT, course):
            message = f"is of {whose[0]}, {whose[1]}; allowed: {FORMAT}, {course}, or another file"
            raise InputError(Problem(path=str(path), message=message))
        return cls(path=path, course=course, told=told)

    def percent(self, spending: Spending, notifier: str) -> int:
        """The last threshold that a notifier delivered of this cap; 0 for none: another cap begins anew."""
        known = self.told.get(_key(spending), {})
        return int(known["to"].get(notifier, 0)) if known.get("cap_usd") == _cap(spending) else 0

    def remember(self, spending: Spending, notifier: str, percent: int) -> None:
        """Keep that a notifier delivered a threshold.

        Raises:
            StorageError: it cannot be written.
        """
        known = self.told.get(_key(spending))
        if known is None or known["cap_usd"] != _cap(spending):
            known = self.told[_key(spending)] = {"cap_usd": _cap(spending), "to": {}}
        known["to"][notifier] = percent
        self.write()

    def write(self) -> None:
        """Put it there, whole or not at all.

        Raises:
            StorageError: it cannot be written.
        """
        document = {"format": FORMAT, "course": self.course, "told": dict(sorted(self.told.items()))}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{self.path}: cannot be written: {error.strerror}") from error
        write_atomically(self.path, json.dumps(document, indent=1) + "\n")


def _key(spending: Spending) -> str:
    return f"{spending.budget.scope} {spending.budget.name}"


def _cap(spending: Spending) -> str:
    return f"{spending.budget.cap_usd or 0:.6f}"


def _values(values: dict[str, Any]) -> dict[str, Any]:
    return {"cap_usd": str(values["cap_usd"]), "to": {str(key): int(each) for key, each in values["to"].items()}}

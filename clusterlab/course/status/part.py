"""A place that a status is made of, looked at beside the others: what it said, or why it could not be asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

from clusterlab.errors import ClusterlabError

T = TypeVar("T")

SECONDS = 60.0
"""How long all of them together may take; what has not answered by then could not be looked at."""


class Name(StrEnum):
    """What is asked."""

    AWS = "AWS"
    GOOGLE = "Google Cloud"
    SKYPILOT = "SkyPilot"
    RAY = "Ray"
    SLURM = "Slurm"
    LEDGER = "ledger"


CLOUDS = (Name.AWS, Name.GOOGLE)


class NotAsked(Exception):  # noqa: N818 (nothing went wrong)
    """Nobody said whom to ask, or there is nobody; the message says what would."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part(Generic[T]):
    """What one of them said."""

    name: Name
    value: T | None = None
    """None where it could not be looked at: then nothing is known, which is never nothing."""
    problems: tuple[str, ...] = ()
    """Why there is no value, or what of it could not be seen."""
    asked: bool = True
    needed: bool = True
    """Whether the class is not seen without it."""

    @property
    def blind(self) -> bool:
        """Whether something of the class may be there that nobody saw."""
        return bool(self.problems) and (self.asked or self.needed)

    def as_json(self) -> dict[str, Any]:
        """As JSON values, without what it said."""
        known = self.value is not None
        return {"name": self.name, "known": known, "asked": self.asked, "problems": list(self.problems)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked(Generic[T]):
    """Whom to ask, and how."""

    name: Name
    ask: Callable[[], tuple[T, tuple[str, ...]]]
    """Its value, and what of it could not be seen; raises `NotAsked` or a `ClusterlabError`."""
    needed: bool = True

    def part(self) -> Part[T]:
        """What it says, however that ends."""
        try:
            value, problems = self.ask()
        except NotAsked as why:
            return Part(name=self.name, problems=(str(why),), asked=False, needed=self.needed)
        except ClusterlabError as error:
            return self.unseen(_line(str(error)))
        return Part(name=self.name, value=value, problems=problems, needed=self.needed)

    def unseen(self, why: str) -> Part[T]:
        """Nothing is known of it."""
        return Part(name=self.name, problems=(why,), needed=self.needed)


@dataclass(kw_only=True)
class _Look:
    asked: Asked[Any]
    parts: list[Part[Any]] = field(default_factory=list)
    failed: list[BaseException] = field(default_factory=list)

    def run(self) -> None:
        try:
            self.parts.append(self.asked.part())
        except BaseException as error:  # noqa: BLE001 (raised again where somebody sees it)
            self.failed.append(error)


def look(asked: list[Asked[Any]], *, seconds: float = SECONDS) -> Mapping[Name, Part[Any]]:
    """Ask all of them at once; one that is silent holds up neither the others nor the end of the command."""
    looks = [_Look(asked=each) for each in asked]
    threads = [threading.Thread(target=each.run, daemon=True) for each in looks]
    for thread in threads:
        thread.start()
    until = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    found: dict[Name, Part[Any]] = {}
    for each in looks:
        for error in each.failed:
            raise error
        silent = f"no answer within {seconds:g} s"
        found[each.asked.name] = each.parts[0] if each.parts else each.asked.unseen(silent)
    return found


def _line(text: str) -> str:
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())

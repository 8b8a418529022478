"""One check of a class before it begins: how it stands, what was seen, and what to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a check stands."""

    PASS = "PASS"  # noqa: S105 (a verdict)
    WARN = "WARN"
    """Not all is well, or it could not be asked: never passed in silence."""
    FAIL = "FAIL"
    """The class would be stopped by it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One line of the table.

    Raises:
        ValueError: it does not pass and says nothing to do.
    """

    name: str
    verdict: Verdict
    seen: str
    """What was looked at, with its numbers; why not, where it could not be asked."""
    todo: str = ""
    """What mends it; empty where it passed."""

    def __post_init__(self) -> None:
        if (self.verdict is Verdict.PASS) == bool(self.todo):
            raise ValueError(f"{self.name}: {self.verdict} with {self.todo!r} to do")

    def as_json(self) -> dict[str, str]:
        """As JSON values."""
        return asdict(self)


def passed(name: str, seen: str) -> Check:
    """As it must be."""
    return Check(name=name, verdict=Verdict.PASS, seen=seen)


def warned(name: str, seen: str, todo: str) -> Check:
    """To be looked at by somebody."""
    return Check(name=name, verdict=Verdict.WARN, seen=seen, todo=todo)


def failed(name: str, seen: str, todo: str) -> Check:
    """To be mended first."""
    return Check(name=name, verdict=Verdict.FAIL, seen=seen, todo=todo)


def not_asked(name: str, why: str, todo: str) -> Check:
    """Nobody knows how it stands, which is no pass."""
    return warned(name, f"not asked: {why}", todo)

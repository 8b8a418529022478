"""An act of a class's rehearsal: what it does, what it needs, and how it went."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clusterlab.errors import InputError, Problem

if TYPE_CHECKING:
    from clusterlab.rehearsal.course.course import Course
    from clusterlab.rehearsal.steps import Step


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """One act."""

    name: str
    """By which `--act` asks for it."""
    title: str
    """What happens, in a line."""
    play: Callable[[Course, Step], None]
    """Raises a `ClusterlabError` where something is not as it must be; what was seen goes to the step's notes."""
    needs: tuple[str, ...] = ()
    """Acts that must have gone well before."""
    always: bool = False
    """Whether it is played whatever failed before."""


def chosen(acts: Sequence[Act], names: Iterable[str]) -> tuple[Act, ...]:
    """The acts of these names with all that they need and those that are always played, in order; all for no name.

    Raises:
        InputError: there is no act of such a name.
    """
    known, wanted = {act.name: act for act in acts}, list(names)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        message = f"{', '.join(unknown)}: no such act; allowed: {', '.join(known)}"
        raise InputError(Problem(path="--act", message=message))
    found = {act.name for act in acts if act.always} if wanted else set(known)
    while wanted:
        name = wanted.pop()
        found.add(name)
        wanted += known[name].needs
    return tuple(act for act in acts if act.name in found)

"""What can go wrong, and with which exit code.

    ClusterlabError
    ├── BusyError
    ├── InputError
    ├── MissingError
    ├── UnreachableError
    └── StorageError

Every message reads `path: key: what is wrong and what is allowed`. Anything else that is raised is a defect of ours
and keeps its traceback. `EXIT_CODES` has what each code means.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

INSTALL_AWS = "pip install 'clusterlab[aws]'"
"""What whatever asks AWS needs, for the message of a `MissingError`."""
EXIT_INTERRUPTED = 130
EXIT_CODES = {
    0: "done",
    1: "the job failed, a result is outside what its lab expects or is not there when it is due, no strategy fits, the "
    "ledger was altered, a notice was not delivered, a class is not ready, or nothing proves that no resource is left "
    "over its lease",
    2: "a file, a value or a name that somebody typed is wrong",
    3: "something is not installed here; the message has the command that installs it",
    4: "a service did not answer within its time limit",
    5: "a folder cannot be written",
    EXIT_INTERRUPTED: "interrupted",
}


class ClusterlabError(Exception):
    """Something that the user can mend; printed without a traceback."""

    exit_code = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing that is wrong with one input."""

    path: str
    """File, or the option or variable that carried the value."""
    key: str = ""
    """Dotted place inside it, such as `resources.labels.course`; empty for the whole."""
    message: str
    """What is wrong and what is allowed."""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.path, self.key, self.message) if part)


class InputError(ClusterlabError):
    """Carries every problem that was found, not the first only."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem] | Problem) -> None:
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class BusyError(ClusterlabError):
    """Somebody else is at it."""


class MissingError(ClusterlabError):
    """A tool or library that this verb needs and that is not installed here."""

    exit_code = 3


class UnreachableError(ClusterlabError):
    """A service that did not answer within its time limit."""

    exit_code = 4


class StorageError(ClusterlabError):
    """A folder that cannot be written: permission, space, or a file in its way."""

    exit_code = 5

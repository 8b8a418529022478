"""A student's token for the course server: asked for once, and kept in the student's folder.

The server says a token when it makes it and never again. So what is asked for is noted before: of a token that was made
and not kept, since somebody pulled the plug, the note says that it is ours, and it is rotated.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from clusterlab.course.place import OWN, SHOWN, read, remove, write
from clusterlab.course.students.token_service import Held, TokenService

TOKEN, ASKED = "token", ".token.asked"
CERTIFICATE = "course.pem"
"""In the class's folder, and in each student's, of a server that signed its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Giver:
    """A server, and what it had when the step began."""

    service: TokenService
    held: dict[str, Held]
    days: int
    """How long a token is good for."""
    certificate: str | None
    """For students to trust the server by; None where any browser does."""
    left: list[str] = field(default_factory=list)
    """Students whose token somebody else made: it is not here, and stays as it is."""

    def give(self, folder: Path, student: str) -> list[str]:
        """Have a student's folder hold a token that the server takes; what of it was new.

        Raises:
            ClusterlabError: the server refuses, or does not answer.
            StorageError: the folder cannot be written.
        """
        new = []
        if self.certificate is not None and write(folder / CERTIFICATE, self.certificate, mode=SHOWN):
            new.append("certificate")
        token = read(folder / TOKEN)
        if token is not None and self.service.takes(token.strip()):
            remove(folder / ASKED)
            return new
        known = self.held.get(student)
        if known is not None and not _is_ours(folder, known):
            self.left.append(student)
            return new
        write(folder / ASKED, f"{student}\n", mode=OWN)
        made = self._made(student, known)
        write(folder / TOKEN, f"{made}\n", mode=OWN)
        remove(folder / ASKED)
        return [*new, "token"]

    def _made(self, student: str, known: Held | None) -> str:
        if known is None:
            return self.service.create(student, days=self.days)
        return self.service.rotate(known, days=self.days)


def _is_ours(folder: Path, known: Held) -> bool:
    """Whether a token that is not here may become another: we asked for it, or nobody can use it any more."""
    return (folder / ASKED).exists() or (known.expires_at is not None and known.expires_at < time.time())

"""The comment that a lab's file begins with: what is claimed, by whom, what to type, and what else to know."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import takewhile

LABELS = ("Claim", "Source", "Usage")
COMMENT = re.compile(r"\s{2,}")
"""What stands between a command and what is said of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """The parts of the comment."""

    claim: str
    source: str
    usage: tuple[tuple[str, str], ...]
    """Commands, each with what is said of it; a command may be empty, where the words before it go on."""
    notes: tuple[str, ...]
    """Paragraphs."""

    @classmethod
    def of(cls, text: str) -> Header:
        """Read it out of the text of a lab; a part that is not there is empty."""
        lines = [line[2:] for line in takewhile(lambda line: line.startswith("#"), text.splitlines())]
        parts: dict[str, list[str]] = {}
        notes: list[list[str]] = []
        into: list[str] = []
        for line in lines[1:]:
            label, colon, rest = line.partition(":")
            if colon and label in LABELS:
                into = parts.setdefault(label, [])
                line = " " * (len(label) + 1) + rest
            elif not line.strip():
                into = []
                notes.append(into)
            into.append(line)
        return cls(
            claim=_joined(parts.get("Claim", [])),
            source=_joined(parts.get("Source", [])),
            usage=tuple(map(_command, parts.get("Usage", []))),
            notes=tuple(filter(None, map(_joined, notes))),
        )


def _joined(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())


def _command(line: str) -> tuple[str, str]:
    """A line of the usage; one that is further in than a command is a comment that goes on."""
    inner = line[len("Usage: ") :]
    if inner.startswith(" "):
        return "", inner.strip()
    command, *comment = COMMENT.split(inner.strip(), maxsplit=1)
    return command, "".join(comment)

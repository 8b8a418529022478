"""What pages tell people to type: every `clusterlab ...` of a page's fenced blocks and of its inline code."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FENCE = re.compile(r"^```[a-z]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+)`")
PROGRAM = "clusterlab"
SEPARATORS = re.compile(r"\|\||&&|[|;&]")
ANYTHING = "..."
"""What stands for the rest of a command."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Typed:
    """One command of a page, without the program's own name."""

    page: str
    words: tuple[str, ...]
    whole: bool
    """Of a fenced block: it must run as it stands. Inline it may leave out what is not spoken of."""

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join([PROGRAM, *self.words])}"


def commands_of(path: Path, root: Path) -> Iterator[Typed]:
    """All commands of a page, in order."""
    text, page = path.read_text(), path.relative_to(root).as_posix()
    for block in FENCE.findall(text):
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            yield from _of_line(line, page, whole=True)
    for code in INLINE.findall(FENCE.sub("", text)):
        yield from _of_line(code, page, whole=False)


def fault(typed: Typed) -> str | None:
    """What the command line's own parser says against a command; None where it would take it."""
    import typer

    command, name, words = _root(), PROGRAM, list(typed.words)
    while words and hasattr(command, "commands"):
        if words[0].startswith("-"):
            return None if words[0] in ("--help", "--version") else f"{name} has no option {words[0]}"
        verb = words.pop(0)
        if verb not in command.commands:
            return f"{name} has no verb {verb!r}; it has {', '.join(command.commands)}"
        command, name = command.commands[verb], f"{name} {verb}"
    if hasattr(command, "commands"):
        return f"{name} wants a verb" if typed.whole and not command.invoke_without_command else None
    return _of_verb(command, typer.Context(command), name, words, whole=typed.whole)


def _of_verb(command: Any, context: Any, name: str, words: list[str], *, whole: bool) -> str | None:
    try:
        given, rest, _ = command.make_parser(context).parse_args([word for word in words if word != ANYTHING])
    except Exception as error:  # noqa: BLE001 (of typer's own copy of click, which has no public name)
        return f"{name}: {getattr(error, 'message', error)}" if whole or "No such option" in str(error) else None
    missing = [each.name for each in command.params if each.required and not given.get(each.name)]
    if whole and missing and ANYTHING not in words:
        return f"{name}: lacks {', '.join(map(str, missing))}"
    return f"{name}: too much: {' '.join(rest)}" if rest else None


@cache
def _root() -> Any:
    import typer.main

    from clusterlab.cli import app

    return typer.main.get_command(app)


def _of_line(line: str, page: str, *, whole: bool) -> Iterator[Typed]:
    """The commands of a line of the shell, without what is before and after them."""
    words = shlex.split(line, comments=True) if _closed(line) else line.partition("#")[0].split()
    parts: list[list[str]] = [[]]
    for word in words:
        ends = SEPARATORS.fullmatch(word) or word.endswith(";")
        parts[-1] += [word.rstrip(";")] if word.rstrip(";") and not SEPARATORS.fullmatch(word) else []
        parts += [[]] if ends else []
    for part in parts:
        at = next((n for n, word in enumerate(part) if _is_program(word) and part[n - 1] != "-u"), None)
        if at is not None and (whole or at == 0):
            yield Typed(page=page, words=tuple(_until_redirected(part[at + 1 :])), whole=whole)


def _is_program(word: str) -> bool:
    return word == PROGRAM or word.endswith(f"/bin/{PROGRAM}")


def _until_redirected(words: list[str]) -> Iterator[str]:
    for word in words:
        if re.fullmatch(r"\d?>{1,2}.*|<.*", word):
            return
        yield word


def _closed(line: str) -> bool:
    try:
        shlex.split(line, comments=True)
    except ValueError:
        return False
    return True

"""What a class's bring-up has on record: which steps ended, which was under way, and who ever had a folder.

Each step looks for itself what is there, so the record decides nothing but what is told, and who has gone.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from clusterlab.course.language import Language
from clusterlab.course.place import OWN, read, write
from clusterlab.errors import InputError, Problem

FILE = "up.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One class's."""

    done: tuple[str, ...] = ()
    """Steps that ended well, in their order."""
    under_way: str | None = None
    """The step that began last and did not end."""
    students: tuple[str, ...] = ()
    """Whoever has, or had, a folder."""
    language: Language = Language.EN
    """Of the welcome sheets."""

    @classmethod
    def load(cls, folder: Path) -> Record:
        """Read it; an empty one where there is none.

        Raises:
            InputError: it is no record.
            StorageError: it cannot be read.
        """
        path = folder / FILE
        text = read(path)
        if text is None:
            return cls()
        try:
            values = json.loads(text)
            return cls(
                done=tuple(map(str, values["done"])),
                under_way=values["under_way"] and str(values["under_way"]),
                students=tuple(map(str, values["students"])),
                language=Language(values["language"]),
            )
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            message = f"no record of a bring-up ({error}); move it away: each step looks for itself what is there"
            raise InputError(Problem(path=str(path), message=message)) from error

    def save(self, folder: Path) -> None:
        """Write it, whole or not at all.

        Raises:
            StorageError: it cannot be written.
        """
        write(folder / FILE, json.dumps(asdict(self), indent=2) + "\n", mode=OWN)

    def begun(self, step: str) -> Record:
        """It, with a step under way."""
        return replace(self, under_way=step)

    def ended(self, step: str) -> Record:
        """It, with a step done."""
        done = self.done if step in self.done else (*self.done, step)
        return replace(self, done=done, under_way=None)

    def knowing(self, students: tuple[str, ...]) -> Record:
        """It, with these beside whoever it knows."""
        return replace(self, students=tuple(sorted({*self.students, *students})))

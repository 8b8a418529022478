"""A student's welcome sheet, made of the class's file: what to type first, what it may cost, until when; no secret."""

from __future__ import annotations

from pathlib import Path

from clusterlab.course.language import Language
from clusterlab.course.place import SHOWN, write
from clusterlab.course.students import english, spanish
from clusterlab.course.students.facts import Facts

FILE = "welcome.md"
SHEETS = {Language.EN: english.sheet, Language.ES: spanish.sheet}


def write_welcome(folder: Path, facts: Facts, language: Language) -> list[str]:
    """Put a sheet into a student's folder; what of it was new.

    Raises:
        StorageError: the folder cannot be written.
    """
    return ["welcome sheet"] if write(folder / FILE, SHEETS[language](facts), mode=SHOWN) else []

"""Write files that are new: all of them, or none."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from clusterlab.errors import InputError, Problem, StorageError


def write_new(files: Mapping[Path, str]) -> None:
    """Write each text to its path, and the folders that they need.

    Raises:
        InputError: one or more of them are there already; nothing is written then, and they stay as they are.
        StorageError: one cannot be written; those that were written before it are taken away again.
    """
    taken = [path for path in files if os.path.lexists(path)]
    if taken:
        message = "is there already, and stays as it is; allowed: a name that is new"
        raise InputError(Problem(path=str(path), message=message) for path in taken)
    written: list[Path] = []
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            # Of two that are made at once one must lose.
            with path.open("x") as file:
                written.append(path)
                file.write(text)
    except OSError as error:
        for each in written:
            each.unlink()
        raise StorageError(f"{path}: cannot be written: {error.strerror}") from error

"""The repository of labs that a command is typed in: its root, and the labs that are named."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from clusterlab.errors import InputError, Problem
from clusterlab.lab import Lab


def enter(paths: Iterable[Path]) -> tuple[Path, list[Path]]:
    """Make the root of the repository, which has labs/, the working folder, and name every path from there.

    Raises:
        InputError: the working folder is in no repository.
    """
    here = Path.cwd()
    root = next((each for each in (here, *here.parents) if (each / "labs").is_dir()), None)
    if root is None:
        message = "not in a repository of labs; allowed: a folder that has labs/, or one below it"
        raise InputError(Problem(path=str(here), message=message))
    os.chdir(root)
    absolute = [Path(os.path.abspath(here / path)) for path in paths]  # noqa: PTH100 (keeps links)
    return root, [path.relative_to(root) if path.is_relative_to(root) else path for path in absolute]


def load_labs(paths: Iterable[Path]) -> list[Lab]:
    """Read labs; the faults of all of them in one go."""
    labs: list[Lab] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            labs.append(Lab.load(path))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return labs

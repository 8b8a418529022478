"""Find a job by its name: a module in `jobs/` with a `Config` and a `main`.

The library does not know the jobs; a lab names one, and it is loaded then. Loading is cheap, since a job imports what
is heavy inside its functions.
"""

from __future__ import annotations

import dataclasses
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from clusterlab.closest import hint
from clusterlab.errors import InputError, Problem

NOT_JOBS = {"__init__", "submit"}
"""Modules of `jobs/` that are no jobs themselves."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A module in `jobs/`."""

    name: str
    config_type: type[Any]
    main: Callable[[Any], dict[str, float]]

    @classmethod
    def load(cls, name: str, *, root: Path, path: str = "job") -> Job:
        """Load `jobs/<name>.py` of the repository at `root`; `path` is named in the error.

        Raises:
            InputError: there is no such job, it cannot be imported, or it lacks Config or main.
        """
        names = job_names(root)
        if name not in names:
            allowed = ", ".join(names) or ("none yet" if has_jobs(root) else "none, since there is no jobs/ here")
            message = f"no job {name!r}; {hint(name, names)}allowed: {allowed}"
            raise InputError(Problem(path=path, message=message))
        if str(root) not in sys.path:
            sys.path.insert(0, str(root))
        module = _imported(name, path)
        config_type, main = getattr(module, "Config", None), getattr(module, "main", None)
        if not (isinstance(config_type, type) and dataclasses.is_dataclass(config_type) and callable(main)):
            message = "a job has a dataclass Config and a function main"
            raise InputError(Problem(path=f"jobs/{name}.py", message=message))
        return cls(name=name, config_type=config_type, main=main)


def has_jobs(root: Path) -> bool:
    """Whether the repository at `root` has jobs at all; a folder with labs alone can be checked and planned."""
    return (root / "jobs").is_dir()


def job_names(root: Path) -> list[str]:
    """The jobs of the repository at `root`."""
    return sorted(path.stem for path in (root / "jobs").glob("*.py") if path.stem not in NOT_JOBS)


def _imported(name: str, path: str) -> ModuleType:
    try:
        return importlib.import_module(f"jobs.{name}")
    except ModuleNotFoundError as error:
        message = f"needs {error.name}, which is not here; allowed: modules of jobs/, all else inside functions"
        if error.name == f"jobs.{name}":
            # A package that stands later on Python's path goes before a folder that is none.
            hides = next(iter(sys.modules["jobs"].__path__))
            message = f"is hidden by {hides}; allowed: a jobs/__init__.py beside it, which may be empty"
        raise InputError(Problem(path=path, message=f"jobs/{name}.py {message}")) from error

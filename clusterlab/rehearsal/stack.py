"""The class that the rehearsed labs are of: its infrastructure, made in the emulated account by its own program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clusterlab.cluster import FOLDER
from clusterlab.course.config import skypilot_config
from clusterlab.document import Document
from clusterlab.errors import InputError, Problem
from clusterlab.rehearsal.steps import StepError


def class_of(tasks: Sequence[str], root: Path) -> Path:
    """The file of the class whose labs or shared cluster these are, by their label `course`.

    Raises:
        InputError: they are of several classes, or of one that has no file.
    """
    courses = {task: Document.load(root / task, []).at("resources.labels.course") for task in tasks}
    if len(set(courses.values())) > 1:
        message = (
            f"{', '.join(sorted(map(str, set(courses.values()))))}; allowed: one, since a rehearsal is of one class"
        )
        raise InputError(Problem(path=", ".join(courses), key="resources.labels.course", message=message))
    task, course = next(iter(courses.items()))
    path = FOLDER / f"{course}.yaml"
    if not (root / path).is_file():
        message = f"{course!r} has no file {path}; allowed: a class with one, since its program makes the network"
        raise InputError(Problem(path=task, key="resources.labels.course", message=message))
    return path


def make_class(path: Path, *arguments: str, root: Path, region: str, endpoint: str) -> dict[str, Any]:
    """Apply the class's Pulumi program in one region of the emulated account, and return what its stack exports.

    Raises:
        StepError: the program, or a resource of it, was refused.
    """
    result = apply_program(path, *arguments, root=root, region=region, endpoint=endpoint)
    if result.returncode:
        said = result.stderr.strip()[-2000:]
        raise StepError(f"`{' '.join(result.args[1:])}` ended with {result.returncode}:\n{said}")
    exports: dict[str, Any] = json.loads(result.stdout)
    return exports


def apply_program(
    path: Path, *arguments: str, root: Path, region: str, endpoint: str
) -> subprocess.CompletedProcess[str]:
    """Run `python -m infra.emulated`: a process of its own, since `clusterlab` does not import `infra`."""
    command = [sys.executable, "-m", "infra.emulated", str(path), "--region", region, *arguments]
    environment = os.environ | {"AWS_ENDPOINT_URL": endpoint}
    # Pulumi's provider is thousands of classes, which Python else compiles again each time: two seconds.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def configuration(exports: Mapping[str, Any]) -> dict[str, Any]:
    """SkyPilot's configuration of that class, as `clusterlab class config` writes it."""
    config = skypilot_config(exports)
    # The repository's .sky.yaml names the policy; here too, the API server would apply it once more.
    config.pop("admin_policy")
    return config

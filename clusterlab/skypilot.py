"""Whether SkyPilot accepts a task, by its own schema.

Importing SkyPilot takes seconds, so its schema is taken from it once, by a process of its own, and kept as a file.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlab.document import Document
from clusterlab.errors import MissingError, Problem, StorageError
from clusterlab.run import write_atomically

if TYPE_CHECKING:
    from jsonschema import ValidationError

INSTALL = "make check"
"""The command that installs SkyPilot, in an environment of its own since Ray shares none with it, and checks there."""

_DUMP = """
import json, sys
from sky.utils import schemas
with open(sys.argv[1], "w") as file:
    json.dump({"task": schemas.get_task_schema(), "resources": schemas.get_resources_schema()}, file)
"""


def version() -> str | None:
    """Which SkyPilot is installed here, without importing it; None where there is none."""
    try:
        return importlib.metadata.version("skypilot")
    except importlib.metadata.PackageNotFoundError:
        return None


def problems(task: Document) -> Iterator[Problem]:
    """What SkyPilot's schema refuses in a task; nothing where SkyPilot is not installed."""
    installed = version()
    if installed is None:
        return
    schema = task_schema(installed)
    resources = task.at("resources")
    yield from _refused(task, schema["task"], _as_read(task.values), "")
    if isinstance(resources, dict):
        yield from _refused(task, schema["resources"], _without_nulls(resources), "resources")


def environment(home: Path) -> dict[str, str]:
    """The environment for a process that imports SkyPilot: its files go below `home`, and it reports to nobody."""
    return os.environ | {"HOME": str(home), "SKYPILOT_DISABLE_USAGE_COLLECTION": "1"}


@functools.cache
def task_schema(installed: str) -> dict[str, Any]:
    """The JSON schemas of `task` and `resources` of the SkyPilot that is installed, from the cache where it is there.

    Raises:
        MissingError: SkyPilot is installed but cannot be imported.
    """
    path = _cache_folder() / f"skypilot-{installed}-task.json"
    with contextlib.suppress(OSError, ValueError, TypeError, LookupError):
        schema = json.loads(path.read_text())
        if isinstance(schema["task"], dict) and isinstance(schema["resources"], dict):
            return {"task": schema["task"], "resources": schema["resources"]}
    schema = _ask_skypilot()
    # A cache that cannot be written costs the next check a few seconds, and nothing else.
    with contextlib.suppress(OSError, StorageError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(schema))
    return schema


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "clusterlab"


def _ask_skypilot() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "schema.json"
        command = [sys.executable, "-c", _DUMP, str(path)]
        result = subprocess.run(command, env=environment(Path(folder)), capture_output=True, text=True, check=False)
        if result.returncode:
            raise MissingError(f"skypilot: cannot be imported: {result.stderr.strip()[-300:]}; `{INSTALL}` installs it")
        schema: dict[str, Any] = json.loads(path.read_text())
        return schema


def _as_read(values: dict[str, Any]) -> dict[str, Any]:
    """A task as SkyPilot validates it: empty keys left out, and the values of envs and secrets made texts."""
    task = _without_nulls(values)
    for key in ("envs", "secrets"):
        if isinstance(task.get(key), dict):
            task[key] = {str(name): None if item is None else str(item) for name, item in task[key].items()}
    return task


def _without_nulls(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _refused(task: Document, schema: dict[str, Any], values: dict[str, Any], within: str) -> Iterator[Problem]:
    for error in _validator(json.dumps(schema)).iter_errors(values):
        key = ".".join([*([within] if within else []), *map(str, error.absolute_path)])
        yield Problem(path=str(task.path), key=key, message=f"SkyPilot refuses it: {_reason(error)}")


@functools.cache
def _validator(schema: str) -> Any:
    """A validator with the two keywords that SkyPilot adds to JSON Schema."""
    import jsonschema

    def enum(fold: bool) -> Any:
        def validate(_: Any, allowed: list[str], value: Any, __: Any) -> Iterator[ValidationError]:
            known = [item.lower() for item in allowed] if fold else allowed
            if (str(value).lower() if fold else value) not in known:
                yield jsonschema.ValidationError(f"{value!r}; allowed: {', '.join(allowed)}")

        return validate

    keywords = {"case_insensitive_enum": enum(True), "case_sensitive_enum": enum(False)}
    extend: Any = jsonschema.validators.extend
    return extend(jsonschema.Draft7Validator, keywords)(json.loads(schema))


def _reason(error: ValidationError) -> str:
    """What is wrong in one line: an unknown key with its nearest, else the validator's word, shortened."""
    if (
        error.validator == "additionalProperties"
        and isinstance(error.instance, dict)
        and isinstance(error.schema, dict)
    ):
        known = list(error.schema.get("properties", {}))
        unknown = [str(key) for key in error.instance if key not in known]
        return "; ".join(f"unknown key {key!r}{_nearest(key, known)}" for key in unknown)
    return error.message if len(error.message) <= 200 else f"{error.message[:200]}..."


def _nearest(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f", did you mean {close[0]}?" if close else f"; allowed: {', '.join(known)}"

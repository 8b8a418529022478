"""SkyPilot's configuration in a file that others write too: our keys are put in, and all else stays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from clusterlab.course import place
from clusterlab.document import Document
from clusterlab.errors import InputError, Problem


def write(path: Path, config: Mapping[str, Any], *, force: bool) -> list[str]:
    """Put a configuration into a file, made where there is none; comments above the first key stay.

    Returns:
        The dotted keys that are now another than before.

    Raises:
        InputError: the file cannot be read, or has another value at one of our keys, which only `force` overwrites.
        StorageError: it cannot be written.
    """
    document = Document.load(path, []) if path.exists() and path.read_text().strip() else Document.empty(path)
    changed = [(key, old, new) for key, old, new in _leaves(document.values, config) if old != new]
    theirs = [(key, old, new) for key, old, new in changed if old is not None]
    if theirs and not force:
        raise InputError(
            Problem(path=str(path), key=key, message=f"{old!r}, and the stack says {new!r}; --force overwrites it")
            for key, old, new in theirs
        )
    if changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = path.stat().st_mode & 0o777 if path.exists() else place.SHOWN
        place.write(path, _header(document.text) + to_text(merged(document.values, config)), mode=mode)
    return [key for key, _, _ in changed]


def to_text(config: Mapping[str, Any]) -> str:
    """As YAML."""
    return yaml.safe_dump(dict(config), sort_keys=False)


def merged(values: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """The values with those of the configuration in them."""
    result = dict(values)
    for key, value in config.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def _leaves(values: Any, config: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Each value of the configuration, with its key and what the file has there; None where it has nothing."""
    for key, value in config.items():
        old = values.get(key) if isinstance(values, Mapping) else None
        if isinstance(value, Mapping) and (old is None or isinstance(old, Mapping)):
            yield from _leaves(old, value, f"{above}{key}.")
        else:
            yield f"{above}{key}", old, value


def _header(text: str) -> str:
    lines = []
    for line in text.splitlines(keepends=True):
        if line.strip() and not line.startswith("#"):
            break
        lines.append(line)
    return "".join(lines)

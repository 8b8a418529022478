"""A stable digest of what was asked: the same question, on any machine and any day, gives the same 64 letters."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any


def fingerprint(value: object) -> str:
    """SHA-256 of the canonical JSON of `value`.

    Raises:
        TypeError: something in it has no stable form (an object, a function, a set, NaN).
    """
    text = json.dumps(_stable(value, "asked"), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_files(root: Path, paths: Iterable[Path]) -> str:
    """SHA-256 over the names below `root` and the contents of `paths`, in order of name."""
    return fingerprint({path.relative_to(root).as_posix(): digest_file(path) for path in sorted(paths)})


def _stable(value: object, where: str) -> Any:
    if isinstance(value, Enum):
        return _stable(value.value, where)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError(f"{where}: {value} has no stable form")
        return f"float:{value.hex()}"
    if isinstance(value, Decimal):
        return f"decimal:{value.normalize()}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: _stable(getattr(value, name), f"{where}.{name}") for name in names}
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"{where}: keys must be texts to have a stable form")
        return {key: _stable(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_stable(item, f"{where}[{index}]") for index, item in enumerate(value)]
    raise TypeError(f"{where}: a {type(value).__name__} has no stable form")

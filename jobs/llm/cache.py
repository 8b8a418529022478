"""What a job makes once and keeps: models pretrained or converted here, by the fingerprint of how they are made."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from clusterlab.errors import StorageError
from clusterlab.fingerprint import fingerprint

VARIABLE = "CLUSTERLAB_CACHE"
DEFAULT = Path(__file__).resolve().parents[2] / ".cache"


def cached(name: str, recipe: object, make: Callable[[Path], None]) -> Path:
    """The folder that `make` filled for this recipe, now or at an earlier time.

    Two jobs that make the same at once both succeed; a job that is killed leaves nothing that would be taken for whole.

    Raises:
        StorageError: the cache cannot be written.
    """
    root = Path(os.environ.get(VARIABLE, DEFAULT)).resolve()
    folder = root / f"{name}-{fingerprint(recipe)[:16]}"
    if folder.is_dir():
        return folder
    partial = root / f".{folder.name}.{secrets.token_hex(4)}"
    try:
        partial.mkdir(parents=True, exist_ok=True)
        make(partial)
        if not folder.is_dir():
            partial.rename(folder)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be made: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder

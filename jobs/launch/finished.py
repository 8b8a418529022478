"""The parts of a job that are finished, so that a run that goes on does none of them again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterlab.errors import StorageError


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """One JSON file a part, `folder/<name>.json`; a part whose file is there is finished."""

    folder: Path

    def once(self, name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What `work` found, now or in an earlier attempt of the same run.

        Raises:
            StorageError: it cannot be written.
        """
        found = self.find(name)
        if found is not None:
            return found
        self._write(self.folder / f"{name}.json", work())
        return self.read(name)

    def find(self, name: str) -> dict[str, Any] | None:
        """What a part found in an earlier attempt; None where it is not finished."""
        return self.read(name) if (self.folder / f"{name}.json").exists() else None

    def read(self, name: str) -> dict[str, Any]:
        """What a finished part found."""
        found: dict[str, Any] = json.loads((self.folder / f"{name}.json").read_text())
        return found

    def _write(self, path: Path, values: dict[str, Any]) -> None:
        partial = path.with_suffix(".partial")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps(values, indent=2))
            partial.replace(path)
        except OSError as error:
            raise StorageError(f"{path}: cannot be written: {error.strerror}") from error

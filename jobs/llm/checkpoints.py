"""Checkpoints of a training on a disk that may be torn away at any time."""

from __future__ import annotations

import os
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterlab.errors import StorageError
from clusterlab.fingerprint import digest_file

STATE = "state.pt"
DIGEST = "state.sha256"


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoints:
    """The checkpoints of one training: `folder/step-000020/`, each a state and its digest, the newest `keep` kept."""

    folder: Path
    keep: int = 2

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write the state after `step` steps; until it is whole the one before it stays the latest.

        Raises:
            StorageError: it cannot be written.
        """
        import torch

        target = self.folder / f"step-{step:06d}"
        partial = self.folder / f".{target.name}.partial"
        try:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            torch.save(state, partial / STATE)
            (partial / DIGEST).write_text(digest_file(partial / STATE))
            for path in (partial / STATE, partial / DIGEST, partial):
                flush(path)
            shutil.rmtree(target, ignore_errors=True)
            partial.rename(target)
            for old in self._steps()[: -self.keep]:
                shutil.rmtree(old)
        except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
            raise StorageError(f"{target}: cannot be written: {error}") from error

    def latest(self) -> dict[str, Any] | None:
        """The newest state that is whole, or None; a torn one is told of and passed over."""
        import torch

        for path in reversed(self._steps()):
            if _is_whole(path):
                state: dict[str, Any] = torch.load(path / STATE, weights_only=True)
                return state
            warnings.warn(f"{path}: torn; going on from the checkpoint before it", stacklevel=2)
        return None

    def _steps(self) -> list[Path]:
        return sorted(self.folder.glob("step-*"))


def _is_whole(path: Path) -> bool:
    try:
        return digest_file(path / STATE) == (path / DIGEST).read_text()
    except FileNotFoundError:
        return False


def flush(path: Path) -> None:
    """Have a file or folder on the disk when this returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Checkpoints that many ranks write together, while they train on, to a disk that may be torn away at any time."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clusterlab.errors import StorageError
from clusterlab.fingerprint import digest_file
from jobs.collective.group import is_lost_peer
from jobs.llm.checkpoints import flush
from jobs.parallel.engine import Engine

SEAL = "seal.json"
"""Digest by file, written last: who has it whole has the checkpoint whole."""


@dataclass(kw_only=True, slots=True)
class Saves:
    """The checkpoints of one training: `folder/step-000020/`, the newest `keep` kept.

    A checkpoint is first `.step-000020.partial`. When every rank has written its part, one rank of each disk seals it
    and gives it its name; until then the one before it stays the latest.
    """

    folder: Path
    keep: int = 2
    _seals: bool = False
    _step: int = 0
    _written: Future[Any] | None = None
    _sealed: Future[None] | None = None
    _sealer: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(max_workers=1))

    def __post_init__(self) -> None:
        """All ranks at once: find out who seals.

        Raises:
            StorageError: the folder cannot be made.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{self.folder}: cannot be made: {error.strerror}") from error
        self._seals = _is_first_on_this_disk(self.folder)

    def resume(self, engine: Engine) -> int:
        """All ranks at once: load the newest checkpoint that is whole on every disk.

        Returns its step, 0 where there is none. A torn one is told of and passed over.
        """
        import torch.distributed as dist

        found: list[list[int] | None] = [None] * dist.get_world_size()
        dist.all_gather_object(found, self._whole_steps() if self._seals else None)
        common = set.intersection(*(set(steps) for steps in found if steps is not None))
        step = max(common, default=0)
        if step:
            engine.load(self.path(step))
        return step

    def begin(self, step: int, engine: Engine) -> None:
        """All ranks at once: start to write the state after a step; the one before it must be finished.

        Raises:
            StorageError: it cannot be written.
        """
        import torch.distributed as dist

        with _storage(self.path(step)):
            if self._seals:
                for old in self.folder.glob(".step-*.partial"):
                    shutil.rmtree(old)
                self._partial(step).mkdir()
            dist.barrier()
            self._step, self._written = step, engine.save(self._partial(step)) or _done()

    def is_written(self) -> bool:
        """Whether this rank's part of what `begin` started is on the disk.

        Raises:
            StorageError: it could not be written.
        """
        if self._written is None or not self._written.done():
            return False
        self._check(self._written)
        return True

    def seal(self) -> None:
        """All ranks at once, when each has written: let every disk's first rank seal it, beside the next steps."""
        if self._seals:
            self._sealed = self._sealer.submit(self._seal, self._step)
        self._written = None

    def finish(self) -> None:
        """All ranks at once: wait until all that was begun is on every disk and sealed.

        Raises:
            StorageError: it could not be written.
        """
        import torch.distributed as dist

        if self._written is not None:
            self._check(self._written)
            dist.barrier()
            self.seal()
        if self._sealed is not None:
            self._check(self._sealed)
            self._sealed = None
        dist.barrier()

    @property
    def in_flight(self) -> bool:
        """Whether a checkpoint was begun and is not sealed by `seal` yet."""
        return self._written is not None

    def _check(self, future: Future[Any]) -> None:
        with _storage(self.path(self._step)):
            future.result()

    def _seal(self, step: int) -> None:
        partial, target = self._partial(step), self.path(step)
        paths = [path for path in sorted(partial.rglob("*")) if path.is_file()]
        for path in paths:
            flush(path)
        (partial / SEAL).write_text(json.dumps({str(path.relative_to(partial)): digest_file(path) for path in paths}))
        for path in (partial / SEAL, partial):
            flush(path)
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
        for old in self._steps()[: -self.keep]:
            shutil.rmtree(self.path(old))

    def _whole_steps(self) -> list[int]:
        """From the newest back to the first that is whole; those after it are torn."""
        whole = []
        for step in self._steps():
            if _is_whole(self.path(step)):
                whole.append(step)
            else:
                warnings.warn(f"{self.path(step)}: torn; going on from the checkpoint before it", stacklevel=2)
        return whole

    def _steps(self) -> list[int]:
        return sorted(int(path.name.removeprefix("step-")) for path in self.folder.glob("step-*"))

    def path(self, step: int) -> Path:
        """The folder of the checkpoint after a step."""
        return self.folder / f"step-{step:06d}"

    def _partial(self, step: int) -> Path:
        return self.folder / f".step-{step:06d}.partial"


@contextmanager
def _storage(target: Path) -> Iterator[None]:
    """Tell a disk's fault as one; torch reports a full disk as RuntimeError, as it does a lost peer."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if is_lost_peer(error):
            raise
        raise StorageError(f"{target}: cannot be written: {error}") from error


def _is_whole(path: Path) -> bool:
    try:
        digests = json.loads((path / SEAL).read_text())
        return all(digest_file(path / name) == digest for name, digest in digests.items())
    except (OSError, ValueError):
        return False


def _is_first_on_this_disk(folder: Path) -> bool:
    """Whether no lower rank sees this rank's folder; all ranks at once."""
    import secrets

    import torch.distributed as dist

    rank, size = dist.get_rank(), dist.get_world_size()
    mark = folder / f".rank-{secrets.token_hex(8)}"
    mark.touch()
    marks: list[str] = [""] * size
    dist.all_gather_object(marks, mark.name)
    first = not any((folder / each).exists() for each in marks[:rank])
    dist.barrier()
    mark.unlink()
    return first


def _done() -> Future[None]:
    future: Future[None] = Future()
    future.set_result(None)
    return future

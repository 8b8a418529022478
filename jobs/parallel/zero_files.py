"""DeepSpeed's checkpoints: written beside the next steps, and read by another number of ranks than wrote them."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(kw_only=True, slots=True)
class Writer:
    """Takes a copy of what DeepSpeed saves and writes it in a thread: the next steps change the tensors meanwhile."""

    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(max_workers=1))
    _pending: list[Future[None]] = field(default_factory=list)

    def save(self, state_dict: Any, path: str) -> None:
        """In the place of `CheckpointEngine.save`."""
        self._pending.append(self._pool.submit(_write, _copied(state_dict), path))

    def all_written(self) -> Future[None]:
        """What tells that all that was saved since the last call is on the disk."""
        pending, self._pending = self._pending, []
        return self._pool.submit(_results, pending)

    def close(self) -> None:
        """Write out what it has."""
        self._pool.shutdown()


@contextmanager
def universal(folder: Path, tag: str) -> Iterator[tuple[Path, str]]:
    """All ranks at once: a checkpoint of stage 1 to 3 as whole tensors by name, until the context ends.

    Gives the folder and the tag to load it by.
    """
    import shutil

    import torch.distributed as dist

    scratch = folder.parent / f".{folder.name}.universal"
    if dist.get_rank() == 0:
        shutil.rmtree(scratch, ignore_errors=True)
        _convert(folder / tag, scratch / tag)
    dist.barrier()
    try:
        yield scratch, tag
    finally:
        dist.barrier()
        if dist.get_rank() == 0:
            shutil.rmtree(scratch)


def _convert(source: Path, target: Path) -> None:
    from deepspeed.checkpoint.ds_to_universal import main

    target.mkdir(parents=True)
    arguments = argparse.Namespace(
        input_folder=str(source),
        output_folder=str(target),
        # In this process: a process of its own would begin by importing torch.
        num_extract_workers=1,
        num_merge_workers=1,
        keep_temp_folder=False,
        strict=True,
        inject_missing_state=True,
    )
    # It tells each of its steps by print and tqdm.
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        main(arguments)


def _copied(value: Any) -> Any:
    import torch

    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        # Of its own type: a state dict has attributes and order.
        copy = value.copy()
        copy.update({key: _copied(each) for key, each in value.items()})
        return copy
    if type(value) in (list, tuple):
        return type(value)(_copied(each) for each in value)
    return value


def _write(state: Any, path: str) -> None:
    import torch

    # Nodes that share a disk may both write the weights: whoever is last has them whole.
    partial = f"{path}.{os.getpid()}"
    torch.save(state, partial)
    Path(partial).replace(path)


def _results(futures: list[Future[None]]) -> None:
    for future in futures:
        future.result()

"""The cases of a lab that trains several times: none is trained again after an interruption."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jobs.launch.finished import Finished


def once(parts: Finished, name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `work` found at rank 0, now or in an earlier attempt of the same run; all ranks at once.

    Raises:
        StorageError: it cannot be written.
    """
    import torch.distributed as dist

    first = dist.get_rank() == 0
    found = [parts.find(name) if first else None]
    dist.broadcast_object_list(found)
    if found[0] is None:
        measured = work()
        found = [parts.once(name, lambda: measured) if first else None]
        dist.broadcast_object_list(found)
    return dict(found[0] or {})

"""Refuse a lab whose job needs more memory than its accelerators have.

A job says what it takes by a method of its Config, `footprint(self, num_gpus: int) -> Footprint`, num_gpus being of all
nodes together. A number of GPUs that it cannot use it refuses with a ValueError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from clusterlab.catalog import Catalog, Row
from clusterlab.config import Scale
from clusterlab.fit.assumptions import HOST_SHARE
from clusterlab.fit.footprint import GIB, Footprint
from clusterlab.lab import Lab

Predict = Callable[[int], Footprint]


def misfits(footprint: Predict, lab: Lab, scale: Scale, catalog: Catalog) -> Iterator[str]:
    """What does not fit, for each accelerator that a lab accepts at a scale: each machine with it must do."""
    for name, count in lab.accelerators_at(scale).items():
        rows = catalog.machines(accelerator=name, count=count, min_memory_gib=lab.resources.min_memory_gib)
        reason = next(filter(None, (_lack(footprint, row, lab.num_nodes) for row in rows)), "")
        if reason:
            fitting = ", ".join(_fitting(footprint, lab, catalog)) or "no machine of the catalog"
            yield f"{reason}; would fit: {fitting}"


def _lack(footprint: Predict, row: Row, num_nodes: int) -> str:
    """Why a machine does not do; empty where it does."""
    what = f"{row.accelerator}:{row.accelerator_count}"
    nodes = what if num_nodes == 1 else f"{num_nodes} x {what}"
    try:
        of = footprint(row.accelerator_count * num_nodes)
    except ValueError as error:
        return f"{nodes}: {error}"
    gpu_gib, host_gib = float(row.accelerator_memory_gib or 0), float(row.memory_gib or 0)
    if of.gpu > gpu_gib * GIB:
        return f"{nodes} has {gpu_gib:g} GiB per GPU, the job needs {of}"
    if of.host * row.accelerator_count > host_gib * GIB * HOST_SHARE:
        needed = of.host * row.accelerator_count / GIB
        message = f"{row} has {host_gib:g} GiB of host memory, of which the job may take {HOST_SHARE:.0%}"
        return f"{nodes}: {message} and needs {needed:.1f}"
    return ""


def _fitting(footprint: Predict, lab: Lab, catalog: Catalog) -> list[str]:
    """The accelerators of the catalog on which the job fits, on as many nodes."""
    rows = (row for name in catalog.accelerators() for row in catalog.with_accelerator(name))
    found = (f"{row.accelerator}:{row.accelerator_count}" for row in rows if not _lack(footprint, row, lab.num_nodes))
    return list(dict.fromkeys(found))

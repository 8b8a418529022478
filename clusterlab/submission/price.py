"""What a job on the shared cluster may cost at most: its part of the dearest machine that may be in the cluster."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from pathlib import Path

from clusterlab.catalog import Catalog
from clusterlab.cost.money import MICRO
from clusterlab.document import Document
from clusterlab.errors import InputError, Problem
from clusterlab.lab import read_resources

TASK = Path("sky.yaml")
"""The class's shared Ray cluster, at the repository's root."""


def high_usd(offered: Catalog, *, gpus: Decimal, hours: Decimal, of_gpus: bool) -> Decimal:
    """For so many GPUs, or machines, and hours; to the micro-dollar.

    Args:
        offered: What the class may use.
        gpus: GPUs; machines, where the cluster has no GPU.
        hours: How long.
        of_gpus: Whether the cluster has GPUs, whose machine's price they then share.

    Raises:
        InputError: the price of such a machine is not known.
    """
    document = Document.load(TASK, [])
    resources = read_resources(document)
    if document.problems:
        raise InputError(document.problems)
    rates = []
    for name, count in (resources.accelerators or {"": 0}).items():
        machines = offered.machines(
            accelerator=name,
            count=count,
            min_vcpus=resources.min_vcpus,
            min_memory_gib=resources.min_memory_gib,
        )
        for machine in machines:
            usd = machine.usd(spot=False)
            rates.append(None if usd is None else usd / (count if of_gpus and count else 1))
    known = [usd for usd in rates if usd is not None]
    if not known or len(known) < len(rates):
        message = "can become a machine whose price is not known; allowed: those that the catalog prices"
        raise InputError(Problem(path=str(TASK), key="resources", message=message))
    return (max(known) * gpus * hours).quantize(MICRO, ROUND_CEILING)

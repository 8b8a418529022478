"""Plan how to train a model: which strategies fit some GPUs, the cheapest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from clusterlab.catalog import Catalog, Row
from clusterlab.closest import hint
from clusterlab.errors import InputError, Problem
from clusterlab.fit.assumptions import HOST_SHARE
from clusterlab.fit.footprint import GIB, Footprint
from clusterlab.fit.speed import Speed, speed
from clusterlab.fit.strategies import Strategy, Training, strategies


@dataclass(frozen=True, kw_only=True, slots=True)
class Machines:
    """So many of one machine of the catalog."""

    row: Row
    count: int
    gpus_per_node: int
    """That are used; a machine with more is paid for whole."""

    @property
    def usd_per_hour(self) -> Decimal | None:
        """Of all of them, on demand; None where it is not known."""
        return None if self.row.on_demand_usd is None else self.row.on_demand_usd * self.count

    def __str__(self) -> str:
        return f"{self.count} x {self.row}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """A strategy on some machines."""

    strategy: Strategy
    machines: Machines
    footprint: Footprint
    speed: Speed | None
    """None where it cannot be estimated."""

    @property
    def short_of_gpu(self) -> int:
        """Bytes that each GPU lacks."""
        return max(0, self.footprint.gpu - int((self.machines.row.accelerator_memory_gib or 0) * GIB))

    @property
    def short_of_host(self) -> int:
        """Bytes that each host lacks."""
        allowed = float(self.machines.row.memory_gib or 0) * GIB * HOST_SHARE
        return max(0, self.footprint.host * self.machines.gpus_per_node - int(allowed))

    @property
    def fits(self) -> bool:
        """Whether GPU and host both hold it."""
        return not self.short_of_gpu and not self.short_of_host

    @property
    def usd_per_million_tokens(self) -> Decimal | None:
        """None where price or speed is not known."""
        usd = self.machines.usd_per_hour
        if usd is None or self.speed is None:
            return None
        return usd / Decimal(self.speed.tokens_per_second * 3600) * 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class FitPlan:
    """Every choice, in order: those that fit first, then the cheapest."""

    training: Training
    accelerator: str
    num_gpus: int
    choices: tuple[Choice, ...]

    @property
    def fits(self) -> bool:
        """Whether any does."""
        return self.choices[0].fits

    @property
    def best(self) -> tuple[Choice, ...]:
        """Of each strategy on each machine the first in order, whatever it recomputes."""
        first: dict[tuple[str, str], Choice] = {}
        for choice in self.choices:
            first.setdefault((choice.strategy.name, str(choice.machines)), choice)
        return tuple(first.values())

    @property
    def nearest(self) -> Choice:
        """The one that lacks least."""
        return min(self.choices, key=lambda each: each.short_of_gpu + each.short_of_host)

    def as_json(self) -> dict[str, Any]:
        """As JSON values: bytes as numbers, dollars as texts, None for what is not known."""
        training = self.training
        return {
            "model": training.shape.name,
            "num_parameters": training.shape.num_parameters,
            "accelerator": self.accelerator,
            "num_gpus": self.num_gpus,
            "seq_length": training.seq_length,
            "micro_batch_size": training.micro_batch_size,
            "micro_batches": training.micro_batches,
            "precision": training.precision,
            "fits": self.fits,
            "choices": [_choice_json(each) for each in self.choices],
        }


def plan(training: Training, catalog: Catalog, *, accelerator: str, num_gpus: int) -> FitPlan:
    """Every strategy for so many accelerators, on each machine of the catalog that makes up that number.

    Raises:
        InputError: no such accelerator, or no machines of it come to that number.
    """
    choices = [
        Choice(
            strategy=strategy,
            machines=machines,
            footprint=strategy.footprint(training),
            speed=speed(strategy, training, machines.row, gpus_per_node=machines.gpus_per_node),
        )
        for machines in _machines(catalog, accelerator, num_gpus)
        for strategy in strategies(training.shape, num_gpus=num_gpus, gpus_per_node=machines.gpus_per_node)
    ]
    ordered = tuple(sorted(choices, key=_order))
    return FitPlan(training=training, accelerator=accelerator, num_gpus=num_gpus, choices=ordered)


def _machines(catalog: Catalog, accelerator: str, num_gpus: int) -> list[Machines]:
    if num_gpus < 1:
        raise InputError(Problem(path="--gpus", message=f"{num_gpus}; allowed: 1 or more"))
    rows = _cheapest_of_each(catalog.with_accelerator(accelerator))
    if not rows:
        raise InputError(Problem(path="--accelerator", message=_no_accelerator(accelerator, catalog.accelerators())))
    found = []
    for row in rows:
        used = min(row.accelerator_count, num_gpus)
        if num_gpus % used == 0:
            found.append(Machines(row=row, count=num_gpus // used, gpus_per_node=used))
    if not found:
        sizes = " or ".join(sorted({str(row.accelerator_count) for row in rows}))
        message = f"{num_gpus}; a machine has {sizes} {accelerator}; allowed: fewer, or a multiple"
        raise InputError(Problem(path="--gpus", message=message))
    return found


def _cheapest_of_each(rows: Iterable[Row]) -> list[Row]:
    """Each kind of machine once, in the region where it costs least: what fits it does not depend on where it is."""
    found: dict[str, Row] = {}
    for row in rows:
        other = found.get(str(row))
        if other is None or _cost(row) < _cost(other):
            found[str(row)] = row
    return list(found.values())


def _cost(row: Row) -> tuple[bool, Decimal]:
    return row.on_demand_usd is None, row.on_demand_usd or Decimal(0)


def _no_accelerator(name: str, known: Iterable[str]) -> str:
    names = list(known)
    return f"the catalog has no {name!r}; {hint(name, names)}allowed: {', '.join(names)}"


def _order(choice: Choice) -> tuple[bool, int, bool, Decimal, float]:
    """Fitting ones by price and then speed, unknown prices last; the others by what they lack."""
    usd, short = choice.usd_per_million_tokens, choice.short_of_gpu + choice.short_of_host
    slowness = -choice.speed.tokens_per_second if choice.speed else 0.0
    return not choice.fits, short, usd is None, usd or Decimal(0), slowness


def _choice_json(choice: Choice) -> dict[str, Any]:
    strategy, usd = choice.strategy, choice.usd_per_million_tokens
    return {
        "strategy": strategy.name,
        "zero_stage": strategy.zero_stage,
        "offload": strategy.offload,
        "data_parallel": strategy.data_parallel,
        "tensor_parallel": strategy.tensor_parallel,
        "pipeline_parallel": strategy.pipeline_parallel,
        "recompute": strategy.recompute,
        "machine": str(choice.machines.row),
        "region": choice.machines.row.region,
        "num_nodes": choice.machines.count,
        "bytes_per_gpu": choice.footprint.parts | {"total": choice.footprint.gpu},
        "host_bytes_per_gpu": choice.footprint.host,
        "fits": choice.fits,
        "short_of_gpu_bytes": choice.short_of_gpu,
        "short_of_host_bytes": choice.short_of_host,
        "tokens_per_second": None if choice.speed is None else round(choice.speed.tokens_per_second, 1),
        "seconds_per_step": None if choice.speed is None else _seconds_json(choice.speed),
        "usd_per_hour": None if choice.machines.usd_per_hour is None else str(choice.machines.usd_per_hour),
        "usd_per_million_tokens": None if usd is None else f"{usd:.4f}",
    }


def _seconds_json(of: Speed) -> dict[str, float]:
    parts = {"compute": of.compute, "communication": of.communication, "offload": of.offload, "total": of.seconds}
    return {name: round(seconds, 4) for name, seconds in parts.items()}

"""A cluster that a class shares: its machines' price, divided among the jobs that hold it, and the idle rest.

What is divided is the price of all machines that the pool has now, by what jobs hold of its GPUs, or of its CPUs where
it has none. The rest is a line of its own, so that jobs and rest together always cost what the machines cost. Jobs are
looked at now and then: one that came or went between two looks is counted to the nearest of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal

from clusterlab.cost.interval import Interval, Kind, Source
from clusterlab.metering.observation import UNKNOWN, Observation, Price, Sighting
from clusterlab.metering.ray import Holding, RayState

SHARE = Decimal("1e-9")
"""How finely an hour's price is divided, in dollars; what that leaves is the idle rest's."""
HELD = re.compile(r"([\d.]+) of [\d.]+ GPUs")
"""The shape of what a job holds."""


def observe(
    pool: str, machines: Sequence[Sighting], state: RayState, known: Collection[str], *, at: datetime
) -> Observation:
    """What each job, and nobody, holds of a pool.

    Args:
        pool: The tag `run` of its machines.
        machines: Those, as EC2 sees them now.
        state: What Ray says of them.
        known: The machines that were looked at before; one that was not has been idle since it began.
        at: Now, in UTC.
    """
    running = [machine for machine in machines if machine.end is None]
    sightings = [
        Sighting(
            resource_id=machine.resource_id,
            kind=Kind.COMPUTE,
            tags=machine.tags,
            start=machine.start,
            end=machine.end or at,
            shape=f"{machine.shape} before its first job",
            region=pool,
            price=machine.price,
        )
        for machine in machines
        if machine.resource_id not in known
    ]
    if running:
        sightings += _shares(pool, running, state)
    elif machines and _idle(pool) in known:
        sightings.append(_last(pool, machines, at))
    return Observation(source=Source.RAY, at=at, covered=frozenset({pool}), sightings=tuple(sightings))


def _idle(pool: str) -> str:
    return f"{pool}/idle"


def _last(pool: str, machines: Sequence[Sighting], at: datetime) -> Sighting:
    """The idle rest of a pool that is gone: it ended with the last machine, which EC2 knows better than a look."""
    return Sighting(
        resource_id=_idle(pool),
        kind=Kind.COMPUTE,
        tags=machines[0].tags,
        # No later than any use of it, so that none begins anew.
        start=min((each.start for each in machines if each.start), default=at),
        end=max(each.end or at for each in machines),
        shape="gone",
        region=pool,
    )


def gpus_held(interval: Interval) -> Decimal:
    """How many GPUs a job held in an interval that was metered so; 0 where it held CPUs, or is none of a pool."""
    match = HELD.fullmatch(interval.shape) if interval.source is Source.RAY else None
    return Decimal(match.group(1)) if match else Decimal(0)


def _shares(pool: str, machines: Sequence[Sighting], state: RayState) -> Iterator[Sighting]:
    unit = "GPUs" if state.gpus else "CPUs"
    parts = [(holding, _amount(holding, unit)) for holding in state.holdings]
    # Ray lets tasks that wait for others lend their CPU, so that jobs can hold more than there is.
    held = sum((amount for _, amount in parts), Decimal(0))
    whole, price = max(state.gpus or state.cpus, held), _price(machines)
    rest = price.usd_per_hour
    for holding, amount in parts:
        if not amount:
            continue
        usd = None if price.usd_per_hour is None else (price.usd_per_hour * amount / whole).quantize(SHARE, ROUND_FLOOR)
        rest = None if rest is None or usd is None else rest - usd
        shape = f"{amount:f} of {whole:f} {unit}"
        yield _sighting(holding.job, holding.tags, shape, pool, Price(usd_per_hour=usd, as_of=price.as_of))
    shape = f"idle: {whole - held:f} of {whole:f} {unit}"
    yield _sighting(_idle(pool), machines[0].tags, shape, pool, Price(usd_per_hour=rest, as_of=price.as_of))


def _amount(holding: Holding, unit: str) -> Decimal:
    return holding.gpus if unit == "GPUs" else holding.cpus


def _sighting(resource_id: str, tags: Mapping[str, str], shape: str, pool: str, price: Price) -> Sighting:
    return Sighting(
        resource_id=resource_id, kind=Kind.COMPUTE, tags=tags, start=None, shape=shape, region=pool, price=price
    )


def _price(machines: Sequence[Sighting]) -> Price:
    """Of all machines; as old as the oldest, and not known where one is not."""
    prices = [machine.price.usd_per_hour for machine in machines]
    known = [usd for usd in prices if usd is not None]
    if len(known) < len(prices):
        return UNKNOWN
    days = [machine.price.as_of for machine in machines if machine.price.as_of]
    return Price(usd_per_hour=sum(known, Decimal(0)), as_of=min(days, default=None))

"""What a terminal shows of a fit: the strategies, where their GiB go, and what was assumed."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from clusterlab.fit.assumptions import listed
from clusterlab.fit.footprint import GIB
from clusterlab.fit.plan import Choice, FitPlan, Machines
from clusterlab.plan import dollars

NOT_FITTING = 3
"""How many of the strategies that do not fit are shown beside those that do, of each kind of machine."""
UNITS = "GiB are per GPU, but `host`, which is the host's memory per GPU; tokens per second are of all GPUs"


def render(plan: FitPlan) -> Iterator[RenderableType]:
    """The tables, the assumptions, and the verdict."""
    training = plan.training
    yield Text(
        f"{training.shape.name} on {plan.num_gpus} x {plan.accelerator}: {training.micro_batches} micro-batches of "
        f"{training.micro_batch_size} x {training.seq_length} tokens, {training.precision} precision",
        style="bold",
    )
    shown = {machines: _shown(plan, machines) for machines in dict.fromkeys(each.machines for each in plan.choices)}
    for machines, choices in shown.items():
        yield _choices_table(machines, choices)
    yield _parts_table([each for choices in shown.values() for each in choices])
    yield Text(UNITS, style="dim")
    for line in listed():
        yield Text(f"assumed: {line}", style="dim")
    yield _verdict(plan)


def _shown(plan: FitPlan, machines: Machines) -> list[Choice]:
    own = [each for each in plan.best if each.machines == machines]
    fitting = [each for each in own if each.fits]
    return fitting + own[len(fitting) :][:NOT_FITTING]


def _choices_table(machines: Machines, choices: list[Choice]) -> Table:
    table = Table(title=_title(machines), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("strategy", no_wrap=True)
    table.add_column("recompute", no_wrap=True)
    for name in ("GiB", "host", "tokens/s", "USD/Mtoken"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict")
    for each in choices:
        table.add_row(
            each.strategy.name,
            each.strategy.recompute,
            _gib(each.footprint.gpu),
            _gib(each.footprint.host),
            "unknown" if each.speed is None else f"{each.speed.tokens_per_second:,.0f}",
            dollars(each.usd_per_million_tokens),
            Text(_lack(each), style="green" if each.fits else "red"),
        )
    return table


def _parts_table(choices: list[Choice]) -> Table:
    table = Table(title="where the GiB go", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("strategy", no_wrap=True)
    table.add_column("recompute", no_wrap=True)
    for name in ("weights", "grads", "Adam", "activ.", "other"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, recompute, of in dict.fromkeys(
        (each.strategy.name, each.strategy.recompute, each.footprint) for each in choices
    ):
        parts = (of.weights, of.gradients, of.optimizer, of.activations, of.buffers + of.reserve)
        table.add_row(name, recompute, *map(_gib, parts))
    return table


def _title(machines: Machines) -> str:
    row, usd = machines.row, machines.usd_per_hour
    price = "its price is not known" if usd is None else f"{dollars(usd)} USD an hour, on demand, as of {row.as_of}"
    memory = f"{row.accelerator_memory_gib} GiB a GPU, {row.memory_gib} GiB a host"
    return f"{machines.count} x {row.placed}: {memory}; {price}"


def _verdict(plan: FitPlan) -> Text:
    if plan.fits:
        first = plan.choices[0]
        usd = dollars(first.usd_per_million_tokens)
        line = f"cheapest: {first.strategy.name}, recompute {first.strategy.recompute}, on {first.machines}: {usd} USD"
        return Text(f"{line} per million tokens", style="green")
    near = plan.nearest
    line = f"nothing fits; nearest: {near.strategy.name}, recompute {near.strategy.recompute}, on {near.machines}"
    return Text(f"{line}: {_lack(near)} GiB", style="red")


def _lack(choice: Choice) -> str:
    lacks = {"GPU": choice.short_of_gpu, "host": choice.short_of_host}
    return ", ".join(f"{where} lacks {_gib(bytes_)}" for where, bytes_ in lacks.items() if bytes_) or "fits"


def _gib(bytes_: int) -> str:
    return f"{Decimal(bytes_) / GIB:.1f}"

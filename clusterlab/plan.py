"""Plan a lab: hours and dollars, low, expected and high, at each scale.

A figure is compute + disk + egress + idle tail (the minutes before autostop, at the machine's rate) on one of the
machines that the lab accepts, or that a scale asks for in their place: `low` and `expected` on the cheapest, as
SkyPilot's optimizer chooses, `high` on the dearest, as a launch may find when the others are full. Compute, disk and
tail are per node; egress is the whole lab's.

A machine whose price is not known could be the cheapest or the dearest, so it leaves `low` and `high` unknown. It
leaves `expected` standing on the cheapest known machine, since the optimizer takes another only to pay less; the
estimate is then incomplete and says why. Where no machine's price is known, `expected` is unknown too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from clusterlab.catalog import LOCAL, Catalog, Kind, Row
from clusterlab.config import Scale
from clusterlab.cost.figure import PARTS, Figure, Load, figure
from clusterlab.infra import infra_of
from clusterlab.lab import Lab

STALE = timedelta(days=90)


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What a lab costs at one scale."""

    scale: Scale
    low: Figure
    expected: Figure
    high: Figure
    budget_usd: Decimal
    unknown: tuple[str, ...]
    """Which prices are not known; empty where the estimate is complete."""

    @property
    def verdict(self) -> str:
        """How the figures stand to the budget."""
        expected, high = self.expected.usd, self.high.usd
        if expected is not None and expected > self.budget_usd:
            return "expected exceeds"
        if high is not None and high > self.budget_usd:
            return "high exceeds"
        return "unknown" if expected is None or high is None else "within"


@dataclass(frozen=True, kw_only=True, slots=True)
class LabPlan:
    """The estimates of a lab, and the prices that they stand on."""

    lab: Lab
    estimates: tuple[Estimate, ...]
    prices: tuple[Row, ...]
    warnings: tuple[str, ...]

    def at(self, scale: Scale) -> Estimate | None:
        """The estimate at a scale; None where the lab has none."""
        return next((estimate for estimate in self.estimates if estimate.scale is scale), None)

    def as_json(self) -> dict[str, Any]:
        """As JSON values, dollars and hours as texts."""
        return {
            "lab": self.lab.name,
            "title": self.lab.title,
            "num_nodes": self.lab.num_nodes,
            "accelerators": self.lab.resources.accelerators,
            "use_spot": self.lab.resources.use_spot,
            "estimates": [_estimate_json(self.lab, estimate) for estimate in self.estimates],
            "prices": [_price_json(row) for row in self.prices],
            "warnings": list(self.warnings),
        }

    def render(self) -> Iterator[RenderableType]:
        """What a terminal shows: the estimates, where the dollars go, what is not known, and the prices' dates."""
        yield _estimates_table(self)
        yield _parts_table(self)
        for reason in dict.fromkeys(reason for estimate in self.estimates for reason in estimate.unknown):
            yield Text(f"incomplete: {reason}", style="yellow")
        for warning in self.warnings:
            yield Text(f"warning: {warning}", style="yellow")
        days = sorted(row.as_of for row in self.prices if row.as_of)
        if days:
            places = ", ".join(dict.fromkeys(str(infra_of(row)) for row in self.prices if row.cloud != LOCAL))
            yield Text(
                f"list prices, {'spot' if self.lab.resources.use_spot else 'on demand'}, as of {days[0]}, of {places}",
                style="dim",
            )


def dollars(usd: Decimal | None) -> str:
    """To the cent for a person: `unknown` where it is not known, `<0.01` where it would look like nothing."""
    if usd is None:
        return "unknown"
    return "<0.01" if 0 < usd < Decimal("0.005") else f"{usd.quantize(Decimal('0.01'), ROUND_HALF_UP)}"


def plan(lab: Lab, catalog: Catalog, *, today: date) -> LabPlan:
    """Estimate a lab at every scale of its sidecar; `today` decides which prices are old."""
    estimates = tuple(_estimate(lab, catalog, scale) for scale in lab.scales)
    prices = _prices(lab, catalog)
    ages = {row: today - row.as_of for row in prices if row.as_of}
    old = ", ".join(f"{row.placed} ({age.days} days)" for row, age in ages.items() if age > STALE)
    warnings = (f"prices older than {STALE.days} days: {old}",) if old else ()
    return LabPlan(lab=lab, estimates=estimates, prices=prices, warnings=warnings)


def candidates(lab: Lab, catalog: Catalog, scale: Scale) -> tuple[list[Row], list[str]]:
    """The machines that a lab accepts at a scale, and what it accepts of which the catalog knows no machine."""
    if lab.at(scale).local:
        return [catalog.local()], []
    resources = lab.resources
    found: list[Row] = []
    missing = []
    for name, count in (lab.accelerators_at(scale) or {"": 0}).items():
        rows = catalog.machines(
            accelerator=name,
            count=count,
            min_vcpus=resources.min_vcpus,
            min_memory_gib=resources.min_memory_gib,
        )
        found += rows
        if not rows:
            missing.append(f"{f'{name}:{count}' if name else 'CPU'}: the catalog has no such machine")
    return found, missing


def _estimate(lab: Lab, catalog: Catalog, scale: Scale) -> Estimate:
    planned = lab.scales[scale]
    machines, unknown = candidates(lab, catalog, scale)
    unknown += [reason for machine in machines for reason in _unknown(lab, catalog, machine)]
    hours = planned.hours
    low, expected, high = (
        _known(lab, catalog, machines, hours=amount) for amount in (hours.low, hours.expected, hours.high)
    )
    return Estimate(
        scale=scale,
        low=low[0] if low and not unknown else _nothing_known(hours.low),
        expected=expected[0] if expected else _nothing_known(hours.expected),
        high=high[-1] if high and not unknown else _nothing_known(hours.high),
        budget_usd=planned.budget_usd,
        unknown=tuple(unknown),
    )


def _known(lab: Lab, catalog: Catalog, machines: Sequence[Row], *, hours: Decimal) -> list[Figure]:
    """The figures that are known, cheapest first."""
    figures = [figure(Load.of(lab), catalog, machine, hours) for machine in machines]
    priced = [(each.usd, each.machine, each.region, each) for each in figures if each.usd is not None]
    return [each for *_, each in sorted(priced, key=lambda item: item[:3])]


def _nothing_known(hours: Decimal) -> Figure:
    return Figure(hours=hours, parts=dict.fromkeys(PARTS))


def _unknown(lab: Lab, catalog: Catalog, machine: Row) -> list[str]:
    parts = figure(Load.of(lab), catalog, machine, Decimal(1)).parts
    market = "spot" if lab.resources.use_spot else "on demand"
    units = {"compute": f"an hour {market}", "disk": "a GB of disk", "egress": "a GB of egress"}
    return [
        f"{machine.placed}: the price of {unit} is not known" for part, unit in units.items() if parts[part] is None
    ]


def _prices(lab: Lab, catalog: Catalog) -> tuple[Row, ...]:
    """Every row that a lab's estimates stand on."""
    rows: dict[Row, None] = {}
    for scale in sorted(lab.scales, key=lambda scale: not lab.at(scale).local):
        for machine in candidates(lab, catalog, scale)[0]:
            beside = (catalog.beside(kind, machine) for kind in (Kind.DISK, Kind.EGRESS))
            rows |= dict.fromkeys([machine, *(row for row in beside if row)])
    return tuple(rows)


def _estimate_json(lab: Lab, estimate: Estimate) -> dict[str, Any]:
    names = ("low", "expected", "high")
    return {
        "scale": estimate.scale,
        "accelerators": lab.accelerators_at(estimate.scale),
        **{name: _figure_json(getattr(estimate, name)) for name in names},
        "budget_usd": _usd(estimate.budget_usd),
        "budget": estimate.verdict,
        "incomplete": list(estimate.unknown),
    }


def _figure_json(of: Figure) -> dict[str, Any]:
    parts = {f"{name.replace(' ', '_')}_usd": _usd(usd) for name, usd in of.parts.items()}
    return {
        "hours": _plain(of.hours),
        "machine": of.machine or None,
        "region": of.region or None,
        "usd": _usd(of.usd),
        **parts,
    }


def _price_json(row: Row) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "name": str(row),
        "region": row.region or None,
        "on_demand_usd": None if row.on_demand_usd is None else str(row.on_demand_usd),
        "spot_usd": None if row.spot_usd is None else str(row.spot_usd),
        "as_of": row.as_of and row.as_of.isoformat(),
        "source": row.source,
    }


def _estimates_table(of: LabPlan) -> Table:
    table = Table(title=f"{of.lab.name}: hours and USD", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("scale")
    table.add_column("hours", justify="right", no_wrap=True)
    for name in ("low", "expected", "high", "budget"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for each in of.estimates:
        figures = (each.low, each.expected, each.high)
        hours = " / ".join(_plain(figure.hours) for figure in figures)
        usd = [dollars(amount) for amount in (*(figure.usd for figure in figures), each.budget_usd)]
        style = {"within": "green", "expected exceeds": "red"}.get(each.verdict, "yellow")
        table.add_row(each.scale, hours, *usd, Text(each.verdict, style=style))
    return table


def _parts_table(of: LabPlan) -> Table:
    table = Table(title="where the expected USD go", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("scale")
    table.add_column("machine")
    table.add_column("region")
    for name in PARTS:
        table.add_column(name, justify="right")
    for each in of.estimates:
        machine = each.expected.machine or "unknown"
        nodes = "" if of.lab.num_nodes == 1 or of.lab.scales[each.scale].local else f"{of.lab.num_nodes} x "
        table.add_row(
            each.scale, nodes + machine, each.expected.region, *(dollars(usd) for usd in each.expected.parts.values())
        )
    return table


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _usd(usd: Decimal | None) -> str | None:
    return None if usd is None else f"{usd:.4f}"

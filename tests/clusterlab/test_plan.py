from __future__ import annotations

import dataclasses
import json
import os
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from clusterlab.catalog import Catalog, Kind, Row
from clusterlab.cluster import offered
from clusterlab.config import Scale
from clusterlab.cost.figure import Load, figure
from clusterlab.lab import Lab, Range, Resources, ScalePlan, lab_paths
from clusterlab.plan import Estimate, dollars, plan
from tests.clusterlab.conftest import ROOT

TODAY = date(2026, 11, 25)
GOLDEN = ROOT / "tests" / "golden" / "plans"
LABS = lab_paths(ROOT / "labs")


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_the_plan_of_each_lab_is_the_golden_one(path: Path) -> None:
    lab = Lab.load(path)
    prices = offered(Catalog.load(), lab.resources.labels["course"], ROOT)
    text = json.dumps(plan(lab, prices, today=TODAY).as_json(), indent=2) + "\n"
    golden = GOLDEN / f"{path.stem}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text)
    assert golden.is_file(), "`make golden` writes it"
    assert golden.read_text() == text, "`make golden` rewrites it"


def test_no_golden_plan_is_left_without_its_lab() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == {path.stem for path in LABS}


def row(name: str, usd: str | None, *, kind: Kind = Kind.MACHINE, cloud: str = "aws", accelerator: str = "L4") -> Row:
    machine = kind is Kind.MACHINE
    return Row(
        kind=kind,
        cloud=cloud,
        region="here",
        name=name,
        accelerator=accelerator if machine else "",
        accelerator_count=1 if machine and accelerator else 0,
        accelerator_memory_gib=None,
        accelerator_peak_tflops=None,
        accelerator_gb_per_second=None,
        vcpus=Decimal(4),
        memory_gib=Decimal(16),
        network_gbps=None,
        on_demand_usd=None if usd is None else Decimal(usd),
        spot_usd=None,
        as_of=TODAY,
        source="a test",
    )


def catalog(*machines: Row, disk: str | None = "0.73", egress: str | None = "0.5") -> Catalog:
    free = [row("this machine", "0", kind=kind, cloud="local", accelerator="") for kind in Kind]
    beside = row("ssd", disk, kind=Kind.DISK), row("internet", egress, kind=Kind.EGRESS)
    return Catalog(rows=(*free, *machines, *beside))


def lab(*, num_nodes: int = 1, use_spot: bool = False, hours: str = "1 2 4", budget: str = "10", **given: int) -> Lab:
    low, expected, high = map(Decimal, hours.split())
    single = ScalePlan(
        local=False,
        accelerators=None,
        hours=Range(low=low, expected=expected, high=high),
        budget_usd=Decimal(budget),
        expect={},
    )
    resources = Resources(
        accelerators=given or {"L4": 1, "A10G": 1},
        min_vcpus=Decimal(0),
        min_memory_gib=Decimal(0),
        use_spot=use_spot,
        disk_size_gb=100,
        idle_minutes=30,
        labels={},
    )
    return Lab(
        path=Path("labs/x.yaml"),
        name="x",
        title="X",
        goal="",
        spanish=None,
        job="x",
        setup="",
        run="",
        envs={},
        resources=resources,
        num_nodes=num_nodes,
        egress_gb=Decimal(2),
        scales={Scale.TINY: dataclasses.replace(single, local=True), Scale.SINGLE: single},
    )


def single(lab: Lab, catalog: Catalog) -> Estimate:
    estimate = plan(lab, catalog, today=TODAY).at(Scale.SINGLE)
    assert estimate is not None
    return estimate


CHEAP, DEAR = row("cheap", "1"), row("dear", "3", accelerator="A10G")


def test_a_figure_is_compute_disk_egress_and_idle_tail() -> None:
    parts = figure(Load.of(lab()), catalog(CHEAP), CHEAP, Decimal(2)).parts
    # 2 h x 1; 100 GB x 2.5 h / 730 h x 0.73; 2 GB x 0.5; half an hour x 1
    assert parts == {
        "compute": Decimal(2),
        "disk": Decimal("0.25"),
        "egress": Decimal(1),
        "idle tail": Decimal("0.5"),
    }


def test_nodes_multiply_all_but_egress() -> None:
    one, four = (figure(Load.of(lab(num_nodes=nodes)), catalog(CHEAP), CHEAP, Decimal(2)).parts for nodes in (1, 4))
    assert four == {name: usd if name == "egress" else usd and usd * 4 for name, usd in one.items()}


def test_low_and_expected_take_the_cheapest_and_high_the_dearest_machine() -> None:
    estimate = single(lab(), catalog(DEAR, CHEAP))
    assert [estimate.low.machine, estimate.expected.machine, estimate.high.machine] == ["aws cheap"] * 2 + ["aws dear"]
    assert estimate.expected.usd == Decimal("3.75")
    assert estimate.unknown == ()


def test_a_scale_is_priced_on_accelerators_of_its_own_where_it_asks_for_them() -> None:
    planned = lab()
    own = dataclasses.replace(planned.at(Scale.SINGLE), accelerators={"A10G": 1})
    planned = dataclasses.replace(planned, scales={**planned.scales, Scale.FULL: own})
    found = plan(planned, catalog(row("a", "1"), row("b", "3", accelerator="A10G")), today=TODAY)
    single, full = found.at(Scale.SINGLE), found.at(Scale.FULL)
    assert single
    assert full
    assert (single.low.machine, full.low.machine, full.high.machine) == ("aws a", "aws b", "aws b")
    asked = {each["scale"]: each["accelerators"] for each in found.as_json()["estimates"]}
    assert asked == {"tiny": {}, "single": {"L4": 1, "A10G": 1}, "full": {"A10G": 1}}
    assert {"a", "b"} <= {each.name for each in found.prices}


def test_a_local_scale_costs_nothing() -> None:
    estimate = plan(lab(), catalog(CHEAP), today=TODAY).at(Scale.TINY)
    assert estimate is not None
    assert [estimate.low.usd, estimate.expected.usd, estimate.high.usd] == [0, 0, 0]
    assert estimate.expected.machine == "this machine"


def test_one_unknown_price_leaves_low_and_high_unknown_and_expected_incomplete() -> None:
    estimate = single(lab(), catalog(CHEAP, row("new", None, accelerator="A10G")))
    assert (estimate.low.usd, estimate.high.usd) == (None, None)
    assert estimate.expected.usd == Decimal("3.75")
    assert estimate.unknown == ("aws new in here: the price of an hour on demand is not known",)
    assert estimate.verdict == "unknown"


def test_no_known_price_leaves_everything_unknown() -> None:
    estimate = single(lab(L4=1), catalog(row("new", None)))
    assert [estimate.low.usd, estimate.expected.usd, estimate.high.usd] == [None] * 3


def test_an_accelerator_that_the_catalog_lacks_is_unknown() -> None:
    estimate = single(lab(L4=1, B200=1), catalog(CHEAP))
    assert estimate.unknown == ("B200:1: the catalog has no such machine",)
    assert (estimate.low.usd, estimate.high.usd) == (None, None)


@pytest.mark.parametrize(("prices", "reason"), [({"disk": None}, "disk"), ({"egress": None}, "egress")])
def test_an_unknown_disk_or_egress_price_is_not_nothing(prices: dict[str, Any], reason: str) -> None:
    estimate = single(lab(L4=1), catalog(CHEAP, **prices))
    assert estimate.expected.usd is None
    assert estimate.unknown == (f"aws cheap in here: the price of a GB of {reason} is not known",)


def test_spot_is_not_planned_at_the_price_on_demand() -> None:
    assert single(lab(L4=1, use_spot=True), catalog(CHEAP)).expected.usd is None
    spot = dataclasses.replace(CHEAP, spot_usd=Decimal("0.5"))
    assert single(lab(L4=1, use_spot=True), catalog(spot)).expected.parts["compute"] == 1


@pytest.mark.parametrize(("budget", "verdict"), [("1", "expected exceeds"), ("10", "high exceeds"), ("20", "within")])
def test_the_verdict_says_which_figure_exceeds_the_budget(budget: str, verdict: str) -> None:
    assert single(lab(budget=budget), catalog(CHEAP, DEAR)).verdict == verdict


def test_old_prices_are_warned_of() -> None:
    assert plan(lab(L4=1), catalog(CHEAP), today=TODAY + timedelta(days=90)).warnings == ()
    (warning,) = plan(lab(L4=1), catalog(CHEAP), today=TODAY + timedelta(days=91)).warnings
    assert warning.startswith("prices older than 90 days: ")
    assert "aws cheap in here (91 days)" in warning


AMOUNTS = {None: "unknown", "0": "0.00", "0.004": "<0.01", "0.005": "0.01", "1.005": "1.01", "1234.5": "1234.50"}


@pytest.mark.parametrize(("usd", "shown"), AMOUNTS.items())
def test_dollars_are_shown_to_the_cent_and_never_as_nothing(usd: str | None, shown: str) -> None:
    assert dollars(None if usd is None else Decimal(usd)) == shown


@pytest.mark.parametrize("width", [80, 120])
def test_the_tables_fit_the_terminal_on_unbroken_lines(width: int) -> None:
    console = Console(width=width, record=True, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    lab = Lab.load(ROOT / "labs" / "qlora.yaml")
    for part in plan(lab, offered(Catalog.load(), "llm-2026", ROOT), today=TODAY).render():
        console.print(part)
    console.file.close()
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    assert max(map(len, lines)) <= width
    assert any("0.01 / 0.02 / 0.05" in line for line in lines)


HOURS = st.decimals("0", "1000", places=2)
PRICES = st.one_of(st.none(), st.decimals("0", "100", places=4))


@given(first=HOURS, second=HOURS)
def test_compute_is_additive_in_hours(first: Decimal, second: Decimal) -> None:
    def compute(hours: Decimal) -> Decimal:
        return figure(Load.of(lab()), catalog(CHEAP), CHEAP, hours).parts["compute"] or Decimal(0)

    assert compute(first + second) == compute(first) + compute(second)


@given(prices=st.lists(PRICES, min_size=1, max_size=4), disk=PRICES, hours=st.lists(HOURS, min_size=3, max_size=3))
def test_figures_rise_and_an_unknown_price_never_becomes_a_number(
    prices: list[Decimal | None], disk: Decimal | None, hours: list[Decimal]
) -> None:
    machines = [row(f"m{number}", None if usd is None else str(usd)) for number, usd in enumerate(prices)]
    asked = lab(hours=" ".join(map(str, sorted(hours))), L4=1)
    estimate = single(asked, catalog(*machines, disk=None if disk is None else str(disk)))
    low, expected, high = estimate.low.usd, estimate.expected.usd, estimate.high.usd
    unknown = None in prices or disk is None
    assert (low is None, high is None, bool(estimate.unknown)) == (unknown, unknown, unknown)
    assert (expected is None) == (disk is None or set(prices) == {None})
    if low is not None and expected is not None and high is not None:
        assert low <= expected <= high

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

import pytest
from rich.console import Console
from typer.testing import CliRunner

from clusterlab.catalog import Catalog
from clusterlab.cli import app
from clusterlab.errors import InputError
from clusterlab.fit.assumptions import HOST_SHARE, listed
from clusterlab.fit.footprint import GIB
from clusterlab.fit.plan import FitPlan, plan
from clusterlab.fit.shapes import SHAPES
from clusterlab.fit.strategies import Training
from clusterlab.fit.table import render
from clusterlab.infra import Infra, within

INFRA = [Infra.parse(place, path="infra") for place in ("aws/us-east-1", "gcp/us-east1")]
CATALOG = within(Catalog.load(), INFRA, path="infra")


def planned(
    model: str = "llama-2-7b", *, gpus: int = 8, accelerator: str = "A100-80GB", catalog: Catalog = CATALOG
) -> FitPlan:
    return plan(Training(shape=SHAPES[model], seq_length=4096), catalog, accelerator=accelerator, num_gpus=gpus)


def without_price(name: str) -> Catalog:
    rows = (replace(row, on_demand_usd=None) if row.name == name else row for row in CATALOG.rows)
    return Catalog(rows=tuple(rows))


def shown(of: FitPlan, width: int = 80) -> str:
    console = Console(width=width)
    with console.capture() as capture:
        for part in render(of):
            console.print(part)
    return capture.get()


def test_those_that_fit_come_first_and_the_cheapest_of_them_first() -> None:
    choices = planned().choices
    fitting = [each for each in choices if each.fits]
    assert 0 < len(fitting) < len(choices)
    assert list(choices[: len(fitting)]) == fitting
    prices = [each.usd_per_million_tokens or Decimal(0) for each in fitting]
    assert prices == sorted(prices)
    assert min(prices) > 0


def test_plain_data_parallelism_does_not_fit_a_7b_model_on_80_gib() -> None:
    by_name: dict[str, list[bool]] = {}
    for each in planned().choices:
        by_name.setdefault(each.strategy.name, []).append(each.fits)
    assert not any(by_name["ddp"])
    assert any(by_name["zero-3/fsdp"])


def test_a_choice_fits_exactly_while_its_bytes_are_within_gpu_and_host() -> None:
    rows = tuple(replace(row, memory_gib=Decimal(500)) if row.accelerator else row for row in CATALOG.rows)
    choices = planned("llama-2-70b", accelerator="A100", catalog=Catalog(rows=rows)).choices
    assert {each.short_of_host > 0 for each in choices} == {True, False}
    for each in choices:
        row = each.machines.row
        gpu = each.footprint.gpu <= int((row.accelerator_memory_gib or 0) * GIB)
        host = each.footprint.host * each.machines.gpus_per_node <= float(row.memory_gib or 0) * GIB * HOST_SHARE
        assert each.fits == (gpu and host)
        assert (each.short_of_gpu == 0, each.short_of_host == 0) == (gpu, host)


def test_the_price_is_that_of_all_machines_over_the_tokens_of_an_hour() -> None:
    for each in planned().choices:
        assert each.speed
        expected = {1: Decimal("27.44705"), 8: Decimal("5.07") * 8}[each.machines.count]
        tokens = each.speed.tokens / each.speed.seconds * 3600
        assert each.usd_per_million_tokens
        assert float(each.usd_per_million_tokens) == pytest.approx(float(expected) / tokens * 1e6)


def test_a_machine_with_more_gpus_is_paid_for_whole() -> None:
    (machines,) = {each.machines for each in planned(gpus=2, accelerator="H200").choices}
    assert (machines.count, machines.gpus_per_node, machines.usd_per_hour) == (1, 2, Decimal("63.296"))


def test_a_kind_of_machine_is_planned_once_where_it_costs_least() -> None:
    (machines,) = {each.machines for each in planned(accelerator="L40S", catalog=Catalog.load()).choices[:1]}
    rows = [row for row in Catalog.load().with_accelerator("L40S") if str(row) == str(machines.row)]
    assert len(rows) > 1
    assert machines.row.on_demand_usd == min(row.on_demand_usd or Decimal(999) for row in rows)
    everywhere = planned(accelerator="L40S", catalog=Catalog.load())
    assert len({str(each.machines.row) for each in everywhere.choices}) == len(
        {each.machines for each in everywhere.choices}
    )


def test_an_unknown_price_is_unknown_and_comes_after_the_known() -> None:
    choices = planned(catalog=without_price("p4de.24xlarge")).choices
    fitting = [each for each in choices if each.fits]
    known = [each.usd_per_million_tokens is not None for each in fitting]
    assert known == sorted(known, reverse=True)
    assert not all(known)
    unknown = [each for each in fitting if each.usd_per_million_tokens is None]
    speeds = [each.speed.tokens_per_second for each in unknown if each.speed]
    assert speeds == sorted(speeds, reverse=True)
    text = shown(planned(catalog=without_price("p4de.24xlarge")))
    assert "its price is not known" in " ".join(text.split())
    assert "unknown" in text


def test_nothing_fits_names_the_one_that_lacks_least() -> None:
    found = planned("llama-2-70b", gpus=1, accelerator="T4")
    assert not found.fits
    assert found.nearest.strategy.name == "zero-3 +nvme"
    lacks = f"GPU lacks {found.nearest.short_of_gpu / GIB:.1f} GiB"
    assert lacks in " ".join(shown(found).split())


REFUSED = {
    "no gpu": ({"gpus": 0}, "--gpus: 0; allowed: 1 or more"),
    "odd number": ({"gpus": 12, "accelerator": "H200"}, "--gpus: 12; a machine has 8 H200; allowed: fewer"),
    "accelerator": (
        {"accelerator": "h100"},
        "--accelerator: the catalog has no 'h100'; did you mean H100? allowed: T4",
    ),
    "no accelerator": ({"accelerator": ""}, "--accelerator: the catalog has no ''; allowed: T4"),
}


@pytest.mark.parametrize(("changed", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_planned_is_refused(changed: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as raised:
        planned(**changed)  # type: ignore[arg-type]
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize("width", [80, 120])
def test_the_tables_fit_their_terminal_and_cut_no_name(width: int) -> None:
    text = shown(planned(), width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for each in ("zero-3/fsdp", "tp-2 pp-2 dp-2", "zero-3 +nvme"):
        assert each in text


def test_every_assumption_is_shown() -> None:
    text = " ".join(shown(planned()).split())
    lines: Iterable[str] = list(listed())
    assert all(line in text for line in lines)
    assert "assumed: compute reaches 45%" in text


def fit(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["fit", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_the_command_prints_the_choices_as_json_in_order() -> None:
    places = [option for place in INFRA for option in ("--infra", str(place))]
    code, out, _ = fit("--model", "llama-2-7b", "--gpus", "8", "--accelerator", "A100-80GB", *places, "--json")
    document = json.loads(out)
    assert (code, document["fits"], document["num_parameters"]) == (0, True, 6_738_415_616)
    expected = [f"{each.usd_per_million_tokens:.4f}" for each in planned().choices]
    assert [each["usd_per_million_tokens"] for each in document["choices"]] == expected
    first = document["choices"][0]
    parts = dict(first["bytes_per_gpu"])
    assert parts.pop("total") == sum(parts.values())


def test_the_command_exits_with_one_where_nothing_fits() -> None:
    code, out, err = fit("--model", "llama-2-70b", "--accelerator", "T4")
    assert (code, err) == (1, "")
    assert "nothing fits; nearest: zero-3 +nvme" in out


def test_a_longer_sequence_and_float32_take_more() -> None:
    def least(*arguments: str) -> int:
        document = json.loads(fit("--model", "tinyllama-1.1b", "--accelerator", "L4", "--json", *arguments)[1])
        return min(int(each["bytes_per_gpu"]["total"]) for each in document["choices"])

    assert least() < least("--seq-length", "8192")
    assert least() < least("--micro-batch-size", "2")
    assert least("--seq-length", "512") < least("--seq-length", "512", "--precision", "float32")


def test_a_wrong_name_is_one_clear_error() -> None:
    code, out, err = fit("--model", "llama7b", "--accelerator", "T4")
    assert (code, out) == (2, "")
    assert err.startswith("--model: no shape 'llama7b'; did you mean llama-2-7b? allowed: tiny, ")
    assert len(err.splitlines()) == 1

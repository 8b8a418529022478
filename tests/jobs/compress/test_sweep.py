from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from clusterlab.config import Source
from clusterlab.errors import InputError
from jobs.compress.measure import UNITS
from jobs.compress.methods import METHODS, UNQUANTIZED, Method
from jobs.compress.row import Outcome, Row
from jobs.compress.setting import Setting, refuse
from jobs.compress.sweep import Share, sweep
from jobs.llm.cache import VARIABLE as CACHE
from tests.jobs.conftest import small_llama
from tests.sweeps import ray_of_two, setting_of

SHARE = Share(cpus=1, gpus=0, seconds=120)


@pytest.fixture(scope="module")
def _ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with ray_of_two(tmp_path_factory.mktemp("cache")):
        yield


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    return setting_of(small_llama(), tmp_path_factory.mktemp("setting"))


def _broken(how: str, calls: Path, name: str = "") -> Method:
    settings = {"how": how, "calls": str(calls)}
    return Method(name=name or how, family=how, bits=4, module="tests.jobs.compress.broken", settings=settings)


@pytest.fixture(scope="module")
def swept(setting: Setting, tmp_path_factory: pytest.TempPathFactory, _ray: None) -> tuple[list[Row], list[str], Path]:
    """A sweep with two methods that fail: its rows, what was reported, and the calls of those that do not quantize."""
    calls, reported = tmp_path_factory.mktemp("calls") / "calls", []
    methods = [METHODS[UNQUANTIZED], _broken("crash", calls), METHODS["rtn_4"], _broken("raise", calls)]
    rows = sweep(methods, setting, SHARE, on_row=lambda row, log: reported.append(f"{row.method}: {log}"))
    return rows, reported, calls


def test_a_method_that_crashes_or_raises_is_one_row_with_its_reason_and_the_rest_complete(
    swept: tuple[list[Row], list[str], Path],
) -> None:
    rows, reported, _ = swept
    outcomes = [(row.method, row.outcome, row.reason) for row in rows]
    assert outcomes == [
        (UNQUANTIZED, Outcome.MEASURED, ""),
        ("crash", Outcome.FAILED, "killed by SIGSEGV"),
        ("rtn_4", Outcome.MEASURED, ""),
        ("raise", Outcome.FAILED, "RuntimeError: no kernel for 5 bits"),
    ]
    assert {line.partition(":")[0] for line in reported} == {row.method for row in rows}
    assert any("Traceback" in line for line in reported if line.startswith("raise"))


def test_every_row_has_all_that_the_table_heads(swept: tuple[list[Row], list[str], Path]) -> None:
    unquantized, _, rounded, _ = swept[0]
    assert set(unquantized.metrics) == set(rounded.metrics) == set(UNITS)
    assert unquantized.metrics["kl_divergence"] == 0 < rounded.metrics["kl_divergence"]
    assert unquantized.metrics["bits_per_parameter"] == 32
    assert rounded.metrics["bits_per_parameter"] == 4 + 20 / 32
    assert rounded.metrics["disk_mib"] < unquantized.metrics["disk_mib"]
    assert all(row.metrics[unit] > 0 for row in (unquantized, rounded) for unit in UNITS if unit != "kl_divergence")
    assert Path(rounded.folder, "model.safetensors").exists()


@pytest.mark.usefixtures("_ray")
def test_what_was_measured_is_kept_and_what_failed_is_tried_again(
    swept: tuple[list[Row], list[str], Path], setting: Setting
) -> None:
    rows, _, calls = swept
    assert sorted(calls.read_text().split()) == ["crash", "raise"]  # no method ran twice
    methods = [METHODS[UNQUANTIZED], METHODS["rtn_4"], _broken("raise", calls)]
    again = sweep(methods, setting, SHARE)
    assert again[:2] == [dataclasses.replace(rows[index], kept=True) for index in (0, 2)]
    assert again[2].outcome is Outcome.FAILED
    assert calls.read_text().split().count("raise") == 2


@pytest.mark.usefixtures("_ray", "swept")
def test_a_method_whose_environment_is_missing_is_a_failed_row_that_says_what_makes_it(setting: Setting) -> None:
    elsewhere = dataclasses.replace(METHODS["rtn_4"], environment="node")
    row = sweep([METHODS[UNQUANTIZED], elsewhere], setting, SHARE)[1]
    assert (row.outcome, row.reason) == (Outcome.FAILED, ".venv/node: not there; `make env-node` makes it")


def test_a_method_that_computes_on_the_cpu_leaves_the_gpu_to_the_others() -> None:
    share = Share(cpus=2, gpus=0.5, seconds=1)
    assert share.options(METHODS["nf4"]) == {"num_cpus": 2, "num_gpus": 0.5, "max_retries": 0}
    assert share.options(METHODS["gguf_q8_0"])["num_gpus"] == 0


@pytest.mark.usefixtures("_ray", "swept")
def test_another_setting_is_another_row(setting: Setting) -> None:
    other = dataclasses.replace(setting, num_evaluation=4)
    rows = sweep([METHODS[UNQUANTIZED]], other, SHARE)
    assert not rows[0].kept
    assert rows[0].fingerprint != setting.fingerprint(METHODS[UNQUANTIZED])


@pytest.mark.usefixtures("_ray", "swept")
def test_a_method_that_takes_too_long_has_failed_and_its_process_is_gone(setting: Setting, tmp_path: Path) -> None:
    rows = sweep(
        [METHODS[UNQUANTIZED], _broken("sleep", tmp_path / "calls")], setting, dataclasses.replace(SHARE, seconds=20)
    )
    assert rows[1].reason == "not done after 20 s"
    commands = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    assert not [command for command in commands if any(part.startswith(os.environ[CACHE]) for part in command)]


def test_all_that_decides_a_row_is_in_its_fingerprint(setting: Setting, tmp_path: Path) -> None:
    method, seen = METHODS["rtn_4"], set()
    settings: list[tuple[Setting, Method]] = [(setting, method), (setting, METHODS["rtn_3"])]
    settings += [(setting, dataclasses.replace(method, settings={"clip": 0.9}))]
    settings += [(setting, dataclasses.replace(method, environment="quant"))]
    for name in ("row_length", "num_calibration", "num_evaluation", "num_compared", "group_size", "seed", "threads"):
        settings.append((dataclasses.replace(setting, **{name: getattr(setting, name) + 1}), method))
    (tmp_path / "a.txt").write_text("another text")
    settings.append((dataclasses.replace(setting, text=Source(str(tmp_path))), method))
    for each, of in settings:
        seen.add(each.fingerprint(of))
    assert len(seen) == len(settings)
    (tmp_path / "a.txt").write_text("changed in its place")
    assert settings[-1][0].fingerprint(method) not in seen


def test_a_group_size_that_does_not_divide_is_refused_with_method_and_layer(setting: Setting) -> None:
    methods = [METHODS["nf4"], METHODS["rtn_4"]]
    with pytest.raises(InputError) as refused:
        refuse(methods, setting.shapes(), 48)
    assert str(refused.value) == (
        "GROUP_SIZE=48: rtn_4: model.layers.0.self_attn.q_proj: 64 input features; "
        "allowed: a GROUP_SIZE that divides them"
    )

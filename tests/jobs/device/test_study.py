from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.device.study import Study, agreement
from jobs.device.table import markdown

STUDY = Study(types=("F32", "Q8_0"), studied="Q8_0", num_threads=1, threads=(1, 2), new_tokens=4, watts_per_core=5.0)


def reading(rate: float, *, joules: float | None = None, tokens: tuple[int, ...] = (7, 8, 9, 5)) -> dict[str, Any]:
    found = {"tokens_per_second": rate, "load_seconds": 0.5, "private_mib": 10.0, "mapped_mib": 20.0}
    return found | {"cpu_seconds_per_token": 2 / rate, "joules_per_token": joules, "tokens": list(tokens)}


def readings(**changed: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {"f32_t1": reading(100), "q8_0_t1": reading(300), "q8_0_t2": reading(450), "q8_0_t1_copied": reading(310)}
    found |= {"float32_t1": reading(50), "float32_t2": reading(80), "bfloat16_t1": reading(25)}
    return found | changed


def test_every_form_is_read_once_and_one_with_more_threads_and_copied(tmp_path: Path) -> None:
    cases = STUDY.cases(tmp_path / "checkpoint", tmp_path / "models", [1, 2])
    assert {case.name for case in cases} == set(readings())
    assert len(cases) == len(readings())
    models = {case.form: Path(case.model).name for case in cases}
    assert models == {"F32": "F32.gguf", "Q8_0": "Q8_0.gguf", "float32": "checkpoint", "bfloat16": "checkpoint"}
    assert [case.name for case in cases if not case.mapped] == ["q8_0_t1_copied"]


def test_gains_are_against_float32_of_pytorch() -> None:
    metrics = STUDY.metrics(readings())
    assert (metrics["gain_f32"], metrics["gain_q8_0"]) == (2, 6)
    assert metrics["tokens_per_second_q8_0_at_2"] == 450
    assert metrics["private_mib_q8_0_copied"] == 10


def test_energy_is_counted_where_it_can_be_and_else_estimated_by_busy_seconds() -> None:
    metrics = STUDY.metrics(readings())
    assert metrics["energy_counted"] == 0
    assert metrics["joules_per_token_q8_0"] == pytest.approx(5 * 2 / 300)
    counted = STUDY.metrics({name: {**each, "joules_per_token": 0.25} for name, each in readings().items()})
    assert counted["energy_counted"] == 1
    assert counted["joules_per_token_q8_0"] == 0.25


def test_agreement_ends_at_the_first_token_that_differs() -> None:
    assert agreement([1, 2, 3, 4], [1, 2, 9, 4]) == 0.5
    assert STUDY.metrics(readings())["agreement"] == 1
    other = reading(50, tokens=(7, 0, 9, 5))
    assert STUDY.metrics(readings(float32_t1=other))["agreement"] == 0.25


def test_the_table_has_a_line_for_each_form_and_says_where_energy_is_from() -> None:
    metrics = STUDY.metrics(readings()) | {"disk_mib_f32": 146.0, "disk_mib_q8_0": 39.0}
    text = markdown(metrics, STUDY)
    assert "5 W a busy core" in text
    assert "| llama.cpp, Q8_0 | 39 | 300.0 | 0.50 | 10 | 20 | 0.0333 | 108,000 |" in text
    assert "| PyTorch, float32 |  | 50.0 |" in text
    assert "as the processor counts it" in markdown(metrics | {"energy_counted": 1.0}, STUDY)

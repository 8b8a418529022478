from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from clusterlab.config import Scale
from clusterlab.errors import InputError
from clusterlab.lab import Lab, lab_paths, sidecar_path
from tests.clusterlab.conftest import ROOT, spoil

PATH = Path("labs/toy.yaml")


def test_labs_were_found() -> None:
    assert lab_paths(ROOT / "labs")


@pytest.mark.parametrize("path", lab_paths(ROOT / "labs"), ids=lambda path: path.stem)
def test_each_lab_loads(path: Path) -> None:
    lab = Lab.load(path)
    assert (lab.name, lab.path) == (path.stem, path)
    assert Scale.TINY in lab.scales


@pytest.mark.usefixtures("house")
def test_a_lab_has_what_its_two_files_say() -> None:
    lab = Lab.load(PATH)
    assert (lab.title, lab.goal, lab.job, lab.envs) == (
        "Toy: add one and one",
        "Learn to add.",
        "toy",
        {"SCALE": "single"},
    )
    assert lab.resources.accelerators == {"L4": 1, "A10G": 1}
    assert lab.resources.min_vcpus == Decimal(4)
    assert lab.resources.min_memory_gib == Decimal(16)
    tiny = lab.at(Scale.TINY)
    assert (tiny.local, tiny.hours.expected, tiny.budget_usd) == (True, Decimal(2), Decimal(5))
    assert (tiny.expect["loss"].low, tiny.expect["loss"].high) == (0.9, 1.1)


@pytest.mark.usefixtures("house")
def test_a_scale_may_ask_for_accelerators_of_its_own() -> None:
    spoil(sidecar_path(PATH), "machine: lab", "machine: A100-80GB:8")
    lab = Lab.load(PATH)
    asked = [lab.accelerators_at(scale) for scale in (Scale.TINY, Scale.SINGLE, Scale.FULL)]
    assert asked == [{}, {"A100-80GB": 8}, {"L4": 1, "A10G": 1}]
    assert not lab.at(Scale.SINGLE).local


ACCELERATORS: dict[str, Any] = {
    "L4": {"L4": 1},
    "L4:2": {"L4": 2},
    "[L4, 'A100:8']": {"L4": 1, "A100": 8},
    "{L4: 2}": {"L4": 2},
}


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(("written", "read"), ACCELERATORS.items())
def test_accelerators_are_read_as_skypilot_writes_them(written: str, read: dict[str, int]) -> None:
    spoil(PATH, "{L4: 1, A10G: 1}", written)
    assert Lab.load(PATH).resources.accelerators == read


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize("written", ["L4:many", "[L4:0]", "{L4: none}", "3", "[]"])
def test_accelerators_of_another_form_are_refused(written: str) -> None:
    spoil(PATH, "{L4: 1, A10G: 1}", written)
    with pytest.raises(InputError, match=r"labs/toy.yaml: resources.accelerators: allowed: a name, `name:count`"):
        Lab.load(PATH)


@pytest.mark.usefixtures("house")
def test_faults_of_both_files_are_raised_in_one_go() -> None:
    spoil(PATH, "cpus: 4+", "cpus: four")
    spoil(sidecar_path(PATH), "egress_gb: 1", "egress_gb: some")
    with pytest.raises(InputError) as error:
        Lab.load(PATH)
    assert [problem.key for problem in error.value.problems] == ["resources.cpus", "egress_gb"]


@pytest.mark.usefixtures("house")
def test_a_missing_sidecar_does_not_hide_a_fault_of_the_lab() -> None:
    spoil(PATH, "cpus: 4+", "cpus: four")
    sidecar_path(PATH).unlink()
    with pytest.raises(InputError) as error:
        Lab.load(PATH)
    assert [problem.message.partition(";")[0] for problem in error.value.problems] == ["has no sidecar", "'four'"]


@pytest.mark.usefixtures("house")
def test_a_scale_that_is_not_planned_is_an_input_error() -> None:
    text = sidecar_path(PATH).read_text()
    sidecar_path(PATH).write_text(text.partition("\n  full:")[0] + "\n")
    with pytest.raises(InputError, match=r"labs/toy.expected.yaml: scales.full: missing"):
        Lab.load(PATH).at(Scale.FULL)

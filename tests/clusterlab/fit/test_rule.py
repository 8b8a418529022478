from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.check import all_paths, check
from tests.clusterlab.conftest import spoil

LAB = Path("labs/toy.yaml")
SIDECAR = Path("labs/toy.expected.yaml")
FOOTPRINT = """
    def footprint(self, num_gpus: int) -> "Footprint":
        from clusterlab.fit.footprint import GIB, Footprint
        if num_gpus == 7:
            raise ValueError("7 GPUs; allowed: any other number")
        share = {size} * GIB // num_gpus
        return Footprint(weights=share, gradients=0, optimizer=share, activations=GIB, host={host} * GIB)

def main("""


@pytest.fixture
def taking(house: Path) -> Path:
    """The toy takes 40 GiB of weights and as many of Adam at `full`, split over its GPUs, and little at `single`."""
    return take(house, "(40 if self.scale == 'full' else 4)")


def take(house: Path, size: str, host: str = "0") -> Path:
    spoil(house / "jobs" / "toy.py", "\ndef main(", FOOTPRINT.replace("{size}", size).replace("{host}", host))
    return house


def faults(root: Path) -> list[str]:
    return [str(problem) for problem in check(all_paths(Path()), root)]


def ask_at_full(machine: str) -> None:
    """Let `full` run on accelerators of its own."""
    text = SIDECAR.read_text()
    before, full, after = text.partition("  full:\n    machine: ")
    assert full
    SIDECAR.write_text(before + full + after.replace("lab", machine, 1))


def test_a_scale_that_does_not_fit_is_named_with_the_parts_and_what_would(taking: Path) -> None:
    parts = "weights 40.0, optimizer 40.0, activations 1.0, reserve 2.0"
    assert faults(taking) == [
        f"labs/toy.expected.yaml: scales.full.machine: {name}:1 has 24 GiB per GPU, the job needs 83.0 GiB per GPU "
        f"({parts}); would fit: A10G:4, L4:4, L40S:4, A100:8, A100-80GB:8, H100:8, H200:8"
        for name in ("L4", "A10G")
    ]


@pytest.mark.parametrize(("machine", "fits"), [("A100:8", True), ("A100:1", False), ("A100-80GB:8", True)])
def test_a_scales_own_accelerators_are_what_it_must_fit(taking: Path, machine: str, fits: bool) -> None:
    ask_at_full(machine)
    assert (faults(taking) == []) == fits


def test_nodes_count_as_gpus(taking: Path) -> None:
    ask_at_full("A100:1")
    spoil(LAB, "name: toy\n", "name: toy\nnum_nodes: 4\n")
    assert faults(taking) == []


def test_a_number_of_gpus_that_the_job_refuses_is_a_fault_and_no_suggestion(house: Path) -> None:
    take(house, "4")
    spoil(LAB, "name: toy\n", "name: toy\nnum_nodes: 7\n")
    found = faults(house)
    assert len(found) == 4
    assert "7 x L4:1: 7 GPUs; allowed: any other number; would fit: T4:4, " in found[0]
    assert "A100:1" not in found[0]


def test_the_hosts_memory_counts_for_all_its_gpus(house: Path) -> None:
    take(house, "4", host="(150 if self.scale == 'full' else 1)")
    found = faults(house)
    assert len(found) == 2
    assert "L4:1: aws g6.xlarge has 16 GiB of host memory, of which the job may take 90% and needs 150.0" in found[0]
    ask_at_full("A100-80GB:1")
    assert faults(house) == []
    spoil(SIDECAR, "A100-80GB:1", "A100-80GB:8")
    (fault,) = faults(house)
    assert "p4de.24xlarge has 1152 GiB of host memory, of which the job may take 90% and needs 1200.0" in fault


def test_a_job_that_would_fit_nowhere_is_told_so(house: Path) -> None:
    take(house, "40000")
    assert all("would fit: no machine of the catalog" in fault for fault in faults(house))


def test_local_scales_and_jobs_without_a_footprint_are_not_asked(house: Path) -> None:
    assert faults(house) == []
    take(house, "(1 if self.scale in ('single', 'full') else 40000)")
    assert faults(house) == []

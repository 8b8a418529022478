"""The real SkyPilot on a real Slurm of this machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clusterlab.conftest import spoil

Rehearse = Callable[..., tuple[int, dict[str, Any], str]]


def steps(record: dict[str, Any]) -> dict[str, Any]:
    return {step["name"]: step for step in record["steps"]}


def test_labs_on_two_nodes_are_launched_side_by_side_checked_and_taken_down(
    rehearse: Rehearse, repository: Path
) -> None:
    spoil(repository / "labs" / "echo.yaml", "workdir: .\n", "workdir: .\n\nnum_nodes: 2\n")
    code, record, said = rehearse("labs/echo.yaml", "--on", "slurm", "--clusters", "2")
    assert (code, record["verdict"]) == (0, "PASS"), said
    found = steps(record)
    assert found["Slurm gave what the lab asks for"]["notes"] == [
        "2 jobs: 2 nodes, 8 CPUs, 1 L4 a node (no GPU is in a node)"
    ]
    (row,) = found["usage by student and lab, from Slurm's record"]["notes"]
    assert row.startswith("rehearsal x echo: 2 jobs, ")
    assert found["no job is left"]["notes"] == ["squeue is empty"]
    runs = [json.loads(path.read_text()) for path in (repository / "out").rglob("run.json")]
    assert [run["status"] for run in runs] == ["succeeded", "succeeded"]
    assert {run["tags"]["student"] for run in runs} == {"rehearsal"}


def test_a_lab_that_the_centre_has_no_accelerator_for_is_one_clear_error(rehearse: Rehearse, repository: Path) -> None:
    spoil(repository / "labs" / "echo.yaml", "{L4: 1, A10G: 1}", "{V100: 1}")
    code, record, said = rehearse("labs/echo.yaml", "--on", "slurm")
    assert (code, record) == (2, {}), said
    assert "clusters/slurm.yaml: usd_per_hour.accelerators: none of L4, A100 suits echo" in said


@pytest.mark.slow
def test_a_lab_too_big_for_the_nodes_is_one_clear_error(rehearse: Rehearse, repository: Path) -> None:
    spoil(repository / "labs" / "echo.yaml", "{L4: 1, A10G: 1}", "{L4: 9}")
    code, record, said = rehearse("labs/echo.yaml", "--on", "slurm")
    assert code == 1, said
    assert "`sky launch" in record["steps"][-1]["notes"][0]

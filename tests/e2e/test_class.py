"""A class from its roster to an empty account: three students, one lab, a spent budget and a forgotten machine."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.clusterlab.conftest import spoil
from tests.repository import ROOT

pytestmark = pytest.mark.slow
Rehearse = Callable[..., tuple[int, dict[str, Any], str]]
ROSTER = "[ana, ben, carla, dario, elena, fatima, gael, hugo, ines, jorge, kira, leo]"
LABS = """labs:
  echo: {scale: tiny}
"""


def small(repository: Path) -> None:
    """The repository's class, with three students and the lab `echo`."""
    path = repository / "clusters" / "demo.yaml"
    before, _, rest = path.read_text().partition("labs:\n")
    path.write_text(before + LABS + rest[rest.index("\nbudget_usd") :])
    spoil(path, ROSTER, "[ana, ben, carla]")
    for each in ROOT.glob("labs/qlora.*"):
        shutil.copy(each, repository / "labs")


def test_a_class_is_rehearsed_from_a_killed_beginning_to_a_proven_end(rehearse: Rehearse, repository: Path) -> None:
    small(repository)
    code, record, said = rehearse("--class", "clusters/demo.yaml", "--act", "cap", "--act", "spent", "--act", "reap")
    assert (code, record["verdict"]) == (0, "PASS"), said
    names = [step["name"].partition(":")[0] for step in record["steps"]]
    assert names[1:] == ["crash", "up", "caps", "own", "cap", "spent", "reap", "down", "report"]
    out = repository / "out"
    assert json.loads((out / "proof.json").read_text())["proven"] is True
    with (out / "report.csv").open() as file:
        *lines, total = csv.DictReader(file)
    assert {line["student"] for line in lines} == {"ben", "carla"}
    for column in ("planned_usd", "metered_usd", "billed_usd"):
        assert sum(Decimal(line[column]) for line in lines) == Decimal(total[column]) > 0
    assert "emulated" in (out / "emulated-bill.csv").read_text()
    assert "emulated" in record
    assert any("idle" in each for each in record["forwarded"])

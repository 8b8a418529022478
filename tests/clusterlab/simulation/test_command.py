from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from clusterlab.cli import app
from clusterlab.errors import EXIT_INTERRUPTED
from clusterlab.simulation.invariant import Invariant
from clusterlab.simulation.semester import Semester
from clusterlab.simulation.server import Round, Server
from tests.clusterlab.conftest import ROOT
from tests.clusterlab.simulation.conftest import Begin
from tests.needs import needs_skypilot

FILE = "clusters/llm-2026.yaml"
SMALL = ["simulate", FILE, "--students", "6", "--labs", "2", "--weeks", "1", "--every", "60"]


@needs_skypilot
def test_a_semester_is_told_as_json_and_drawn(begin: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del begin  # which forgets the variables of whoever runs the tests
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(app, [*SMALL, "--json", "--chart", str(tmp_path / "spend.svg")])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert re.fullmatch(r"(2026-\d\d-\d\d, \d+ launches\n){2}", done.stderr)
    assert set(told["invariants"].values()) == {"PASS"}
    assert told["num_launches"] >= 12
    drawing = ET.fromstring((tmp_path / "spend.svg").read_text())
    assert "6 students, 2 labs" in str(drawing.findtext("{*}title"))


@needs_skypilot
def test_what_does_not_hold_is_told_with_its_events_and_its_seed(begin: Begin, monkeypatch: Any) -> None:
    del begin
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(Server, "_book", lambda *_: None)
    monkeypatch.setattr(Server, "reap", lambda _: Round(well=True))
    done = CliRunner().invoke(app, [*SMALL, "--seed", "7"])
    assert done.exit_code == 1
    assert "FAIL  no machine runs that nobody reserved for" in done.stdout
    assert "the last events, of --seed 7:" in done.stdout
    assert ": let through" in done.stdout


@needs_skypilot
def test_ctrl_c_ends_it_after_the_hour_with_what_came_of_it(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    del begin
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(Semester, "_note_day", lambda _: os.kill(os.getpid(), signal.SIGINT))
    before = signal.getsignal(signal.SIGINT)
    done = CliRunner().invoke(app, SMALL)
    assert done.exit_code == EXIT_INTERRUPTED
    # The first day of the class, by its own time.
    assert "stopped before its end, at 2026-09-01 22:00 UTC" in done.stdout
    assert f"HELD  {Invariant.SUMS}" in done.stdout
    assert "PASS" not in done.stdout
    assert signal.getsignal(signal.SIGINT) is before


def test_a_class_without_dates_cannot_be_simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("labs", "jobs", "clusters"):
        (tmp_path / folder).mkdir()
    (tmp_path / "clusters" / "toy.yaml").write_text("\ncourse: toy\ninfra: [aws/us-east-1]\nroster: 3\n")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["simulate", "clusters/toy.yaml"])
    assert done.exit_code == 2
    assert "clusters/toy.yaml: dates: missing" in done.stderr

"""A bring-up that is cut off wherever it was: the next one ends as if nothing had been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from clusterlab.errors import EXIT_INTERRUPTED
from tests.clusterlab.course.students.fake_skypilot import FakeSkyPilot
from tests.clusterlab.course.students.house import House
from tests.repository import ROOT


@pytest.mark.parametrize("seed", [1])
def test_killed_at_every_step_and_within_them_it_ends_as_if_it_had_not_been(
    seed: int, skypilot: FakeSkyPilot, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "tests.clusterlab.course.students.crashes", str(tmp_path), skypilot.endpoint]
    ended = subprocess.run([*command, str(seed)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-4000:]
    num_deeds, num_points = map(int, ended.stdout.split())
    assert num_deeds > 100
    assert num_points >= 30


KEYGEN = """#!/bin/sh
echo begun > {fifo}
exec sleep 60
"""
SCRIPT = """
import sys
from clusterlab.cli import app
from clusterlab.course import command, reached
from clusterlab.course.provision import Update
from tests.clusterlab.course.students.house import House
house = House(root=__import__("pathlib").Path.cwd())
reached.aws = lambda: None
command._stack = lambda *_, **__: Update(outputs=house.exports(), num_changed=0)
app()
"""


def test_ctrl_c_among_the_students_is_one_line_and_130(tmp_path: Path) -> None:
    """As a terminal does it: the whole group gets the signal, while keys are being made."""
    house, fifo, program = House(root=tmp_path / "house"), tmp_path / "fifo", tmp_path / "bin" / "ssh-keygen"
    house.cluster()
    os.mkfifo(fifo)
    program.parent.mkdir()
    program.write_text(KEYGEN.format(fifo=fifo))
    program.chmod(0o755)
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "class", "up", "clusters/llm-2026.yaml", "--yes"],
        cwd=house.root,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PATH": f"{program.parent}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        # Open for both, so that no program waits for a reader; once all have begun, none begins after the signal.
        with os.fdopen(os.open(fifo, os.O_RDWR)) as begun:
            assert [begun.readline() for _ in house.students] == ["begun\n"] * len(house.students)
            os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, err) == (EXIT_INTERRUPTED, "interrupted\n"), out
    told = house.bring_up()
    assert "the last bring-up ended in `students`; this one goes on from there" in told
    assert len(list(house.folder.glob("*/welcome.md"))) == len(house.students)
    assert all((house.folder / student / "id_ed25519").exists() for student in house.students)

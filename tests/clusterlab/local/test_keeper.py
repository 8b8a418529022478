from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clusterlab.local.keeper import keep, release
from tests.repository import marked, no_process_left, wait_until

TREE = "sleep 1000 & setsid sleep 1000 & (setsid sh -c 'sleep 1000 & sleep 1000' &) ; "
"""Children of every kind: in the group, in a session of their own, and left by their parent."""


@pytest.fixture
def mark() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def environment(mark: str) -> Iterator[dict[str, str]]:
    with no_process_left(mark) as environment:
        yield environment


def _keep(
    script: str, folder: Path, environment: dict[str, str], *, remove: tuple[Path, ...] = (), **ending: Any
) -> subprocess.Popen[bytes]:
    with (folder / "output").open("wb") as output:
        command = ["bash", "-c", script]
        return keep(command, cwd=folder, env=environment, output=output, remove=remove, **ending)


def test_it_ends_with_the_commands_status_and_output(tmp_path: Path, environment: dict[str, str]) -> None:
    keeper = _keep("echo hello; exit 7", tmp_path, environment)
    keeper.wait()
    assert release(keeper) == 7
    assert (tmp_path / "output").read_text() == "hello\n"


def test_a_command_that_dies_of_a_signal_ends_as_in_a_shell(tmp_path: Path, environment: dict[str, str]) -> None:
    keeper = _keep("kill -9 $$", tmp_path, environment)
    keeper.wait()
    assert release(keeper) == 128 + signal.SIGKILL


def test_what_a_command_leaves_is_ended_with_it(tmp_path: Path, environment: dict[str, str], mark: str) -> None:
    keeper = _keep(TREE + "sleep 0.5", tmp_path, environment)
    keeper.wait()
    assert release(keeper) == 0
    assert marked(mark) == []


def test_release_ends_all_and_removes_the_folders(tmp_path: Path, environment: dict[str, str], mark: str) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    keeper = _keep(TREE + "touch ready; sleep 1000", tmp_path, environment, remove=(scratch,))
    wait_until((tmp_path / "ready").exists)
    assert len(marked(mark)) >= 5
    assert release(keeper) == 128 + signal.SIGKILL
    assert marked(mark) == []
    assert not scratch.exists()


def test_an_owner_that_is_killed_takes_all_with_it(tmp_path: Path, environment: dict[str, str], mark: str) -> None:
    owner = f"""
import os, sys, time
from pathlib import Path
from clusterlab.local.keeper import keep
with open("output", "wb") as output:
    keep(["bash", "-c", {TREE + "touch ready; sleep 1000"!r}], cwd=Path.cwd(), env=os.environ, output=output)
time.sleep(1000)
"""
    paths = {"PYTHONPATH": str(Path(__file__).parents[3])}
    process = subprocess.Popen([sys.executable, "-c", owner], cwd=tmp_path, env=environment | paths)
    wait_until((tmp_path / "ready").exists)
    process.kill()
    process.wait()
    wait_until(lambda: marked(mark) == [])


def test_grace_lets_a_command_end_by_itself(tmp_path: Path, environment: dict[str, str]) -> None:
    script = "trap 'echo bye; exit 3' INT; touch ready; while :; do sleep 0.05; done"
    keeper = _keep(script, tmp_path, environment, grace_seconds=60)
    wait_until((tmp_path / "ready").exists)
    assert release(keeper) == 3
    assert (tmp_path / "output").read_text() == "bye\n"


def test_a_drained_command_is_asked_alone_and_its_children_go_on(tmp_path: Path, environment: dict[str, str]) -> None:
    child = "(trap 'echo child' INT TERM; touch ready; sleep 1 & wait $!; echo answered) & "
    script = child + "trap 'wait $!; exit 3' TERM; trap 'echo interrupted' INT; wait $!"
    keeper = _keep(script, tmp_path, environment, grace_seconds=60, drain=True)
    wait_until((tmp_path / "ready").exists)
    assert release(keeper) == 3
    assert (tmp_path / "output").read_text() == "answered\n"


def test_who_does_not_heed_the_interrupt_is_killed(tmp_path: Path, environment: dict[str, str], mark: str) -> None:
    keeper = _keep("trap '' INT; touch ready; while :; do sleep 0.05; done", tmp_path, environment, grace_seconds=0.5)
    wait_until((tmp_path / "ready").exists)
    assert release(keeper) == 128 + signal.SIGKILL
    assert marked(mark) == []


def test_a_sigterm_ends_all_without_grace(tmp_path: Path, environment: dict[str, str], mark: str) -> None:
    script = "trap '' INT; touch ready; while :; do sleep 0.05; done"
    keeper = _keep(script, tmp_path, environment, grace_seconds=1000)
    wait_until((tmp_path / "ready").exists)
    os.kill(keeper.pid, signal.SIGTERM)
    keeper.wait()
    assert release(keeper) == 128 + signal.SIGTERM
    assert marked(mark) == []

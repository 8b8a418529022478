from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from rich.console import Console

from clusterlab.errors import ClusterlabError, InputError, MissingError, StorageError
from clusterlab.lab import Lab
from clusterlab.local import LOG, run_lab
from clusterlab.run import METRICS, RECORD, Run, Status, find_runs
from clusterlab.tags import Tags
from tests.repository import copy_repository, marked, no_process_left, wait_until

TAGS = Tags(course="llm-2026", lab="echo", student="ana")

SUBMIT = '''"""Run a job as `jobs.submit` does, without a Ray between."""

import os
import sys
from pathlib import Path

from clusterlab.config import from_environment, to_flags
from clusterlab.job import Job
from jobs.launch.execute import main

print("address", os.environ.get("RAY_ADDRESS"))
job = Job.load(sys.argv[1], root=Path.cwd())
flags = to_flags(from_environment(job.config_type))
sys.exit(main([job.name, f"--run={os.environ['CLUSTERLAB_RUN_DIR']}", *flags]))
'''

RUN = """
import sys
from pathlib import Path
from rich.console import Console
from clusterlab.lab import Lab
from clusterlab.local import run_lab
from clusterlab.tags import Tags

lab = Lab.load(Path("labs/echo.yaml"))
tags = Tags(course="llm-2026", lab="echo", student="ana")
run_lab(lab, root=Path.cwd(), envs={"PAUSE_SECONDS": "60"}, tags=tags, runs=Path("runs"), console=Console())
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """With an environment for jobs, and a `jobs.submit` that needs no Ray."""
    root = copy_repository(tmp_path / "repository")
    (root / "jobs" / "submit.py").write_text(SUBMIT)
    (root / ".venv" / "train").mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    # The job's module is read from this repository, and not again where another test has it.
    monkeypatch.setattr(sys, "path", [str(root), *sys.path])
    with mock.patch.dict(sys.modules):
        for name in [name for name in sys.modules if name.partition(".")[0] == "jobs"]:
            del sys.modules[name]
        yield root


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


def _run(root: Path, screen: io.StringIO, **envs: str) -> tuple[Path, Run]:
    return _run_below(root / "runs", root, screen, **envs)


def _run_below(runs: Path, root: Path, screen: io.StringIO, **envs: str) -> tuple[Path, Run]:
    lab = Lab.load(root / "labs" / "echo.yaml")
    fresh = envs.pop("fresh", None) is not None
    console = Console(file=screen, width=200)
    return run_lab(lab, root=root, envs=envs, tags=TAGS, runs=runs, fresh=fresh, console=console)


def test_a_lab_runs_by_its_own_lines(repository: Path, screen: io.StringIO) -> None:
    folder, run = _run(repository, screen, STEPS="2", WORD="it's me")
    assert (run.status, run.metrics["said"], run.cost_usd) == (Status.SUCCEEDED, 2.0, "0.000000")
    assert run.tags == TAGS.labels()
    assert folder.parent == repository / "runs" / "echo"
    assert "it's me 2\n" in (folder / LOG).read_text()
    assert screen.getvalue() == "echo 2/2 loss 0.500  1,000 tokens/s\n"


def test_only_the_labs_values_and_the_given_ones_reach_the_job(
    repository: Path, screen: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPS", "99")
    monkeypatch.setenv("WORD", "stray")
    monkeypatch.setenv("RAY_ADDRESS", "http://head:8265")
    folder, run = _run(repository, screen)
    assert (run.asked.config["steps"], run.asked.config["word"]) == (3, "hello")
    assert "address http://head:8265" in (folder / LOG).read_text()


@pytest.mark.parametrize(
    ("envs", "message"),
    [
        ({"STEPZ": "3"}, r"labs/echo.yaml: envs: STEPZ: unknown; did you mean STEPS\?"),
        ({"STEPS": "many"}, "labs/echo.yaml: envs: STEPS: 'many': allowed: a whole number"),
        ({"SCALE": "huge"}, "labs/echo.yaml: envs: SCALE: 'huge': allowed: tiny, small, single, full"),
    ],
)
def test_a_wrong_value_is_refused_before_anything_is_made(
    repository: Path, screen: io.StringIO, envs: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        _run(repository, screen, **envs)
    assert not (repository / "runs").exists()


def test_without_an_environment_for_jobs_the_command_that_makes_it_is_named(
    repository: Path, screen: io.StringIO
) -> None:
    (repository / ".venv" / "train").rmdir()
    with pytest.raises(MissingError, match="`make env`"):
        _run(repository, screen)


def test_runs_that_cannot_be_written_are_a_storage_error(repository: Path, screen: io.StringIO) -> None:
    with pytest.raises(StorageError, match="/dev/null/runs/echo"):
        _run_below(Path("/dev/null/runs"), repository, screen)


def test_a_failing_job_shows_the_reason_and_the_end_of_its_output(repository: Path, screen: io.StringIO) -> None:
    with pytest.raises(ClusterlabError, match="exit code 1: ValueError: a defect") as raised:
        _run(repository, screen, ENDING="value")
    [(folder, run)] = find_runs(repository / "runs")
    assert run.status is Status.FAILED
    assert f"the whole output is in {folder / LOG}" in str(raised.value)
    assert str(raised.value).splitlines()[-1] == "ValueError: a defect"


def test_the_exit_code_is_the_jobs(repository: Path, screen: io.StringIO) -> None:
    with pytest.raises(ClusterlabError, match="WORD: nobody says that") as raised:
        _run(repository, screen, ENDING="input")
    assert raised.value.exit_code == InputError.exit_code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_stops_the_job_and_the_next_run_goes_on(
    repository: Path, screen: io.StringIO, number: signal.Signals
) -> None:
    mark = uuid.uuid4().hex
    with no_process_left(mark) as environment:
        command = _command(repository, environment)
        command.send_signal(number)
        _, errors = command.communicate()
        assert errors.splitlines()[-1] == "KeyboardInterrupt"
        assert marked(mark) == []
    [(folder, stopped)] = find_runs(repository / "runs")
    assert stopped.status is Status.STOPPED

    (folder / "checkpoints" / "done").write_text("...")
    again, run = _run(repository, screen, PAUSE_SECONDS="60")
    assert (again, run.status, run.metrics["first"]) == (folder, Status.SUCCEEDED, 3)
    assert f"going on with {folder}" in screen.getvalue()


def test_a_fresh_run_gets_a_folder_of_its_own(repository: Path, screen: io.StringIO) -> None:
    with pytest.raises(ClusterlabError):
        _run(repository, screen, ENDING="value")
    with pytest.raises(ClusterlabError):
        _run(repository, screen, ENDING="value", fresh="yes")
    assert len(list(find_runs(repository / "runs"))) == 2


def test_a_killed_command_leaves_no_process(repository: Path) -> None:
    mark = uuid.uuid4().hex
    with no_process_left(mark) as environment:
        command = _command(repository, environment)
        command.kill()
        command.communicate()
        wait_until(lambda: marked(mark) == [])
    [(folder, run)] = find_runs(repository / "runs")
    assert run.status is Status.STOPPED
    assert (folder / RECORD).exists()


def _command(repository: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    """A run in a process of its own, at work."""
    pipe = subprocess.PIPE
    command = subprocess.Popen(
        [sys.executable, "-c", RUN], cwd=repository, env=environment, stdout=pipe, stderr=pipe, text=True
    )
    wait_until(lambda: command.poll() is not None or list((repository / "runs").rglob(METRICS)))
    assert command.poll() is None, command.communicate()
    return command


@pytest.fixture(autouse=True)
def _no_values_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

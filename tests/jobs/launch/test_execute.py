from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clusterlab.run import METRICS, RECORD, Run, Status
from clusterlab.submission.results import from_line, is_line
from tests.repository import wait_until

VARIABLES = {"CLUSTERLAB_TAGS": "course=llm-2026,lab=echo,student=ana"}


def _start(repository: Path, folder: Path, *flags: str, **variables: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "jobs.launch.execute", "echo", f"--run={folder}", "--scale=tiny", *flags]
    environment = os.environ | VARIABLES | variables
    return subprocess.Popen(
        command, cwd=repository, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _execute(repository: Path, folder: Path, *flags: str, **variables: str) -> tuple[int, str, str]:
    process = _start(repository, folder, *flags, **variables)
    output, errors = process.communicate()
    return process.returncode, output, errors


def test_the_record_is_written_and_is_the_last_line(repository: Path, tmp_path: Path) -> None:
    code, output, _ = _execute(repository, tmp_path / "run", "--steps=2", CLUSTERLAB_COMMIT="abc-dirty")
    run = Run.load(tmp_path / "run")
    assert (code, run.status, run.metrics) == (0, Status.SUCCEEDED, {"said": 2.0, "first": 0})
    assert json.loads(output.splitlines()[-1]) == json.loads((tmp_path / "run" / RECORD).read_text())
    assert run.tags == {"course": "llm-2026", "lab": "echo", "student": "ana"}
    assert run.asked.config == {"scale": "tiny", "steps": 2, "pause_seconds": 0.0, "word": "hello", "ending": ""}
    assert run.fingerprint == run.asked.fingerprint
    assert run.seconds is not None
    assert run.ended is not None
    assert run.started <= run.ended


def test_the_provenance_says_where_and_with_what(repository: Path, tmp_path: Path) -> None:
    _execute(repository, tmp_path, CLUSTERLAB_COMMIT="abc-dirty")
    facts: dict[str, Any] = Run.load(tmp_path).provenance
    assert (facts["commit"], facts["attempts"], facts["resumed"]) == ("abc-dirty", 1, False)
    assert {"python", "platform", "cpu", "num_cpus", "devices"} <= facts.keys()
    assert facts["packages"]["ray"].startswith("2.")


@pytest.mark.parametrize(
    ("ending", "code", "error"),
    [
        ("value", 1, "ValueError: a defect"),
        ("input", 2, "InputError: WORD: nobody says that"),
        ("text", 1, "TypeError: jobs.echo.main: metric 'said' is a str, not a number"),
    ],
)
def test_a_failure_is_recorded_and_raised(repository: Path, tmp_path: Path, ending: str, code: int, error: str) -> None:
    returned, output, errors = _execute(repository, tmp_path, f"--ending={ending}")
    run = Run.load(tmp_path)
    assert (returned, run.status, run.error, run.metrics) == (code, Status.FAILED, error, {})
    assert error.partition(": ")[2] in errors
    assert '"status"' not in output


def test_a_metric_may_be_nan(repository: Path, tmp_path: Path) -> None:
    assert _execute(repository, tmp_path, "--ending=nan")[0] == 0
    assert math.isnan(Run.load(tmp_path).metrics["said"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_is_stopped_and_goes_on_later(
    repository: Path, tmp_path: Path, number: signal.Signals
) -> None:
    process = _start(repository, tmp_path, "--pause-seconds=60")
    wait_until((tmp_path / METRICS).exists)
    process.send_signal(number)
    process.communicate()
    stopped = Run.load(tmp_path)
    assert (process.returncode, stopped.status, stopped.error) == (130, Status.STOPPED, None)

    (tmp_path / "checkpoints" / "done").write_text("...")
    assert _execute(repository, tmp_path, "--pause-seconds=60")[0] == 0
    run = Run.load(tmp_path)
    assert (run.status, run.metrics["first"]) == (Status.SUCCEEDED, 3)
    assert (run.provenance["attempts"], run.provenance["resumed"]) == (2, True)
    assert (run.run_id, run.started) == (stopped.run_id, stopped.started)


def test_the_cost_is_hours_times_price(repository: Path, tmp_path: Path) -> None:
    _execute(repository, tmp_path, "--pause-seconds=0.1", CLUSTERLAB_USD_PER_HOUR="3600")
    run = Run.load(tmp_path)
    assert run.cost_usd is not None
    assert run.seconds is not None
    assert float(run.cost_usd) == pytest.approx(run.seconds, abs=1e-6)


def test_an_unknown_price_leaves_the_cost_unknown(repository: Path, tmp_path: Path) -> None:
    _execute(repository, tmp_path)
    assert Run.load(tmp_path).cost_usd is None


@pytest.mark.parametrize(("price", "cost"), [("2", None), ("0", "0.000000")])
def test_an_attempt_that_was_killed_leaves_the_cost_unknown_unless_it_is_nothing(
    repository: Path, tmp_path: Path, price: str, cost: str | None
) -> None:
    process = _start(repository, tmp_path, "--pause-seconds=60", CLUSTERLAB_USD_PER_HOUR=price)
    wait_until((tmp_path / METRICS).exists)
    process.kill()
    process.communicate()
    assert Run.load(tmp_path).status is Status.RUNNING
    (tmp_path / "checkpoints" / "done").write_text("...")
    _execute(repository, tmp_path, "--pause-seconds=60", CLUSTERLAB_USD_PER_HOUR=price)
    assert Run.load(tmp_path).cost_usd == cost


def test_other_code_than_what_was_asked_for_is_refused(repository: Path, tmp_path: Path) -> None:
    code, _, errors = _execute(repository, tmp_path, CLUSTERLAB_FINGERPRINT="0" * 64)
    assert code == 2
    assert "CLUSTERLAB_FINGERPRINT: the node would run" in errors
    assert not (tmp_path / RECORD).exists()


def test_a_path_that_this_machine_cannot_make_is_replaced_by_one_at_home(repository: Path, tmp_path: Path) -> None:
    code, output, _ = _execute(repository, Path("/proc/of-ana/runs/echo/1"), HOME=str(tmp_path))
    folder = tmp_path / "clusterlab-runs" / "ana" / "echo" / "1"
    assert code == 0
    assert json.loads(output.splitlines()[-1]) == json.loads((folder / RECORD).read_text())
    assert (folder / METRICS).exists()


def test_no_folder_at_all_is_one_clear_error(repository: Path) -> None:
    code, _, errors = _execute(repository, Path("/proc/of-ana/1"), HOME="/proc/home")
    assert code == 5
    assert errors.startswith("jobs.echo: /proc/home/clusterlab-runs/ana/echo/1: cannot be written: No such file")
    assert "Traceback" not in errors


def test_a_relative_folder_is_the_students_own_at_home_and_closed_to_others(repository: Path, tmp_path: Path) -> None:
    assert _execute(repository, Path("1"), HOME=str(tmp_path))[0] == 0
    assert Run.load(tmp_path / "clusterlab-runs" / "ana" / "echo" / "1").status is Status.SUCCEEDED
    assert (tmp_path / "clusterlab-runs" / "ana").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("ending", ["", "value"])
def test_a_runs_files_are_sent_with_the_output_where_they_are_wanted(
    repository: Path, tmp_path: Path, ending: str
) -> None:
    _, output, _ = _execute(repository, tmp_path / "run", f"--ending={ending}", CLUSTERLAB_SEND_RESULTS="1")
    [files] = [from_line(line) for line in output.splitlines() if is_line(line)]
    assert files == {name: (tmp_path / "run" / name).read_bytes() for name in (METRICS, RECORD)}

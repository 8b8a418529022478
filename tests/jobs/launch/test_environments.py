from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from clusterlab.errors import MissingError, StorageError
from jobs.launch.environments import OWN, ROOT, ProcessFailedError, python_of, run_module

ACTING = "tests.jobs.launch.acting"
DEADLINE = 60


def _run(folder: Path, script: str, seconds: float | None = None) -> str:
    """What a process said that did what the script says."""
    (folder / "act.py").write_text(script)
    run_module(ACTING, folder, environment=OWN, log=folder / "log", num_threads=3, seconds=seconds)
    return (folder / "log").read_text()


def _pids(folder: Path) -> list[int]:
    """Processes that have the folder among their arguments, this one apart."""
    found = psutil.process_iter(["pid", "cmdline"])
    return [each.info["pid"] for each in found if str(folder) in (each.info["cmdline"] or [])]


def test_a_missing_environment_says_which_command_makes_it(tmp_path: Path) -> None:
    (tmp_path / ".venv" / "quant" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "quant" / "bin" / "python").touch()
    with pytest.raises(MissingError, match=r"\.venv/quant: not there; `make env-quant` makes it"):
        python_of("quant", tmp_path)
    (tmp_path / ".venv" / "quant" / "installed").touch()
    assert python_of("quant", tmp_path) == str(tmp_path / ".venv" / "quant" / "bin" / "python")
    # A job on a shared cluster runs in a package without it, by the Python of the repository that has it.
    assert python_of("quant", tmp_path / "package", tmp_path) == python_of("quant", tmp_path)


def test_a_process_runs_in_its_folder_with_our_packages_and_so_many_threads(tmp_path: Path) -> None:
    said = _run(tmp_path, "import os, jobs; print(os.getcwd(), jobs.__path__[0], os.environ['OMP_NUM_THREADS'])")
    assert said.split() == [str(tmp_path), str(ROOT / "jobs"), "3"]


@pytest.mark.parametrize(
    ("script", "reason", "exit_code"),
    [
        ("raise RuntimeError('no kernel for 5 bits')", r"^RuntimeError: no kernel for 5 bits$", 1),
        ("print('a folder is full'); raise SystemExit(5)", r"^a folder is full$", StorageError.exit_code),
        ("raise SystemExit(77)", r"^exit code 77$", 1),
        ("import os; os.kill(os.getpid(), 11)", r"^killed by SIGSEGV$", 1),
        ("import os; print('said before'); os.kill(os.getppid(), 9)", r"^killed by SIGKILL$", 1),
    ],
)
def test_a_process_that_fails_is_an_error_with_its_signal_or_what_it_said_last(
    script: str, reason: str, exit_code: int, tmp_path: Path
) -> None:
    with pytest.raises(ProcessFailedError, match=reason) as failed:
        _run(tmp_path, script)
    assert failed.value.exit_code == exit_code


def test_a_process_that_takes_too_long_is_ended_with_what_it_started(tmp_path: Path) -> None:
    script = f"import subprocess, time; subprocess.Popen(['sleep', '600'], cwd={str(tmp_path)!r}); time.sleep(600)"
    with pytest.raises(ProcessFailedError, match=r"^not done after 2 s$"):
        _run(tmp_path, script, seconds=2)
    assert not _pids(tmp_path)
    assert not [each for each in psutil.process_iter(["cwd"]) if each.info["cwd"] == str(tmp_path)]


def test_a_process_does_not_outlive_who_runs_it(tmp_path: Path) -> None:
    (tmp_path / "act.py").write_text("import time; time.sleep(600)")
    call = f"run_module({ACTING!r}, Path({str(tmp_path)!r}), environment={OWN!r}, log=Path('/dev/null'), num_threads=1)"
    script = f"from pathlib import Path; from jobs.launch.environments import run_module; {call}"
    owner = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    deadline = time.monotonic() + DEADLINE
    while not _pids(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _pids(tmp_path)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    while _pids(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _pids(tmp_path)

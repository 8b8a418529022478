from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from clusterlab import __version__
from tests.clusterlab.conftest import JOB, spoil
from tests.clusterlab.conftest import LAB as TOY
from tests.clusterlab.conftest import SIDECAR as TOY_EXPECTED
from tests.clusterlab.report.test_results import make_run

ROOT = Path(__file__).parents[2]
UV = ROOT / ".venv" / "uv" / "bin" / "uv"
HEAVY = ("torch", "ray", "transformers")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `make wheel` builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    _run(UV, "build", "--quiet", "--wheel", "--python", sys.executable, "--out-dir", folder)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds what `pip install` of the wheel brings, at the versions of the lock."""
    folder = tmp_path_factory.mktemp("control") / "venv"
    _run(UV, "venv", "--quiet", "--python", sys.executable, folder)
    install = (UV, "pip", "install", "--quiet", "--python", folder)
    _run(*install, "--constraints", ROOT / "images" / "control.lock", wheel)
    return folder / "bin" / "python"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Somebody's folder, far from this repository, with a lab of ours and nothing else."""
    (tmp_path / "labs").mkdir()
    for name in ("qlora.yaml", "qlora.expected.yaml"):
        shutil.copy(ROOT / "labs" / name, tmp_path / "labs")
    return tmp_path


def test_these_tests_run_where_nothing_heavy_can_be_imported() -> None:
    assert [name for name in HEAVY if importlib.util.find_spec(name)] == []


def test_the_wheel_has_every_file_of_the_library_and_nothing_else(wheel: Path) -> None:
    ours = [path for path in (ROOT / "clusterlab").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert packed == {path.relative_to(ROOT).as_posix() for path in ours}
    assert {"clusterlab/catalog.csv", "clusterlab/report/page.css", "clusterlab/template/lab.yaml"} <= packed


def test_the_version_stands_in_one_place(wheel: Path, python: Path) -> None:
    assert wheel.name == f"clusterlab-{__version__}-py3-none-any.whl"
    assert _run(_clusterlab(python), "--version").stdout == f"clusterlab {__version__}\n"


@pytest.mark.parametrize("verb", ["check", "plan", "report"])
def test_the_control_plane_works_without_torch_and_ray(python: Path, verb: str, tmp_path: Path) -> None:
    arguments = {"check": [], "plan": ["labs/qlora.yaml"], "report": [f"--runs={tmp_path}"]}[verb]
    done = _run(_clusterlab(python), verb, *arguments, "--json")
    assert json.loads(done.stdout) is not None
    assert _run(python, "-c", f"import importlib.util as u; print(*filter(u.find_spec, {HEAVY}))").stdout.strip() == ""


def test_outside_the_repository_a_lab_is_checked_but_for_what_is_not_there(python: Path, folder: Path) -> None:
    assert "check" in _run(_clusterlab(python), "--help", cwd=folder).stdout
    assert _run(_clusterlab(python), "check", cwd=folder).stdout.splitlines() == [
        "1 lab checked, 0 problems",
        "not checked: SkyPilot's own schema, not installed here; `make check` installs it",
        "not checked: jobs, and which envs they take; there is no jobs/ beside labs/",
    ]
    spoil(folder / "labs" / "qlora.yaml", "down: true", "down: false")
    done = _run(_clusterlab(python), "check", cwd=folder / "labs", code=2)
    assert done.stderr.startswith("labs/qlora.yaml: resources.autostop.down: must be true")


def test_outside_the_repository_a_lab_is_planned_and_reported(python: Path, folder: Path) -> None:
    (planned,) = json.loads(_run(_clusterlab(python), "plan", "--json", cwd=folder).stdout)["plans"]
    assert [each["scale"] for each in planned["estimates"]] == ["tiny", "small", "single", "full"]
    (folder / "labs" / "toy.yaml").write_text(TOY)
    (folder / "labs" / "toy.expected.yaml").write_text(TOY_EXPECTED)
    make_run(folder / "runs")
    (run,) = json.loads(_run(_clusterlab(python), "report", "--json", cwd=folder).stdout)["runs"]
    assert (run["lab"], run["verdict"]) == ("toy", "PASS")


def test_outside_the_repository_jobs_of_ones_own_are_found(python: Path, folder: Path) -> None:
    for path, text in {"labs/toy.yaml": TOY, "labs/toy.expected.yaml": TOY_EXPECTED, "jobs/toy.py": JOB}.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
    assert "not checked: jobs" not in _run(_clusterlab(python), "check", "labs/toy.yaml", cwd=folder).stdout
    spoil(folder / "labs" / "toy.yaml", "SCALE: single", "SCALE: single\n  STEP: 3")
    done = _run(_clusterlab(python), "check", "labs/toy.yaml", cwd=folder, code=2)
    assert done.stderr.startswith("labs/toy.yaml: envs.STEP: unknown; did you mean STEPS?")


def test_outside_the_repository_a_class_is_made_checked_and_planned(python: Path, folder: Path) -> None:
    made = json.loads(_run(_clusterlab(python), "new", "class", "mine", "--json", cwd=folder).stdout)
    for line in made["next"][:2]:
        _run(_clusterlab(python), *line.split()[1:], cwd=folder)


def test_the_catalog_travels_with_the_package(python: Path) -> None:
    script = "import clusterlab.catalog as c; print(c.PATH); print(len(c.Catalog.load().rows))"
    path, count = _run(python, "-I", "-c", script, cwd=python.parent).stdout.split()
    assert Path(path).is_relative_to(python.parents[1])
    assert int(count) > 0


def _clusterlab(python: Path) -> Path:
    return python.with_name("clusterlab")


def _run(*command: object, cwd: Path = ROOT, code: int = 0) -> subprocess.CompletedProcess[str]:
    # What is installed, and nothing that the tests themselves were found by.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    words = [str(part) for part in command]
    done = subprocess.run(words, cwd=cwd, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done

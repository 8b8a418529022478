from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = ROOT / ".venv" / "uv" / "bin" / "uv"
HEAVY = ("torch", "ray", "transformers")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds what `pip install clusterlab` brings, and nothing else."""
    folder = tmp_path_factory.mktemp("control") / "venv"
    _run(UV, "venv", "--quiet", "--python", sys.executable, folder)
    install = (UV, "pip", "install", "--quiet", "--python", folder)
    _run(*install, "--requirements", ROOT / "images" / "control.lock")
    _run(*install, "--no-deps", ROOT)
    return folder / "bin" / "python"


def test_these_tests_run_where_nothing_heavy_can_be_imported() -> None:
    assert [name for name in HEAVY if importlib.util.find_spec(name)] == []


@pytest.mark.parametrize("verb", ["check", "plan", "report"])
def test_the_control_plane_works_without_torch_and_ray(python: Path, verb: str, tmp_path: Path) -> None:
    arguments = {"check": [], "plan": ["labs/qlora.yaml"], "report": [f"--runs={tmp_path}"]}[verb]
    done = _run(python.with_name("clusterlab"), verb, *arguments, "--json")
    assert json.loads(done.stdout) is not None
    assert _run(python, "-c", f"import importlib.util as u; print(*filter(u.find_spec, {HEAVY}))").stdout.strip() == ""


def test_the_catalog_travels_with_the_package(python: Path) -> None:
    script = "import clusterlab.catalog as c; print(c.PATH); print(len(c.Catalog.load().rows))"
    path, count = _run(python, "-I", "-c", script, cwd=python.parent).stdout.split()
    assert Path(path).is_relative_to(python.parents[1])
    assert int(count) > 0


def _run(*command: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], cwd=cwd, check=True, capture_output=True, text=True)

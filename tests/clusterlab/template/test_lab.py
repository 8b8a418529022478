from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from clusterlab.check import check
from clusterlab.config import Scale
from clusterlab.lab import Lab
from tests.clusterlab.conftest import ROOT, spoil
from tests.clusterlab.test_cli import invoke

FILES = ["labs/own-lab.yaml", "labs/own-lab.expected.yaml", "jobs/own_lab.py"]


@pytest.fixture
def house(house: Path) -> Path:
    """With what a job of its own runs by."""
    (house / "jobs" / "launch").mkdir()
    (house / "jobs" / "launch" / "__init__.py").touch()
    (house / "jobs" / "launch" / "folder.py").write_text("def report(phase, step, steps, **values): pass\n")
    return house


def contents(root: Path) -> dict[str, str]:
    """Every file of the house but what Python compiled."""
    paths = [path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {path.relative_to(root).as_posix(): path.read_text() for path in paths}


def test_what_is_made_is_said_and_passes_check(house: Path) -> None:
    code, out, err = invoke("new", "lab", "own-lab")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        *(f"made {path}" for path in FILES),
        "next:",
        "  clusterlab check labs/own-lab.yaml",
        "  clusterlab run labs/own-lab.yaml",
        "  clusterlab plan labs/own-lab.yaml",
    ]
    assert check([Path(FILES[0])], house) == []
    for line in out.splitlines()[-3:]:
        if "run" not in line:
            assert invoke(*line.split()[1:])[0] == 0


@pytest.mark.usefixtures("house")
def test_it_has_every_scale_and_the_course_of_the_other_labs() -> None:
    assert invoke("new", "lab", "own-lab")[0] == 0
    lab = Lab.load(Path(FILES[0]))
    assert (lab.name, lab.job, list(lab.scales)) == ("own-lab", "own_lab", list(Scale))
    assert lab.resources.labels == {"course": "llm-2026", "lab": "own-lab"}
    assert len(lab.resources.accelerators) == 3


@pytest.mark.usefixtures("house")
def test_it_asks_for_what_its_class_offers() -> None:
    Path("clusters/small.yaml").write_text("course: small\ninfra: [aws/us-east-1]\ninstances: [g6.xlarge]\n")
    assert invoke("new", "lab", "own-lab", "--course", "small")[0] == 0
    assert Lab.load(Path(FILES[0])).resources.accelerators == {"L4": 1}
    assert invoke("check", FILES[0])[0] == 0


@pytest.mark.usefixtures("house")
def test_a_class_that_offers_no_accelerator_is_told() -> None:
    Path("clusters/none.yaml").write_text("course: none\ninfra: [aws/us-east-1]\ninstances: [m5.large]\n")
    code, _, err = invoke("new", "lab", "own-lab", "--course", "none")
    assert (code, err) == (2, "clusters/none.yaml: offers no machine with one accelerator, and a lab asks for one\n")


@pytest.mark.usefixtures("house")
def test_comments_are_what_the_rules_say_of_themselves() -> None:
    assert invoke("new", "lab", "own-lab")[0] == 0
    for path in FILES[:2]:
        assert "#:" not in Path(path).read_text()
    assert "  # An idle machine is ended, not only stopped.\n  autostop:" in Path(FILES[0]).read_text()
    assert "\n# A scale without an expectation would pass whatever it did.\nscales:" in Path(FILES[1]).read_text()


@pytest.mark.usefixtures("house")
def test_the_job_is_code_as_this_repository_has_it() -> None:
    assert invoke("new", "lab", "own-lab")[0] == 0
    for command in (["check"], ["format", "--check"]):
        # As a file of this repository, whose imports are told from others'.
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "--stdin-filename", str(ROOT / FILES[2]), "-"]
        done = subprocess.run(ruff, input=Path(FILES[2]).read_text(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_a_job_that_is_there_stays_and_its_metrics_are_asked_for(house: Path) -> None:
    before = (house / "jobs" / "toy.py").read_text()
    Path("labs/toy.yaml").unlink()
    Path("labs/toy.expected.yaml").unlink()
    code, out, _ = invoke("new", "lab", "toy", "--course", "llm-2026")
    assert code == 0
    assert "jobs/toy.py was there and stays: write into labs/toy.expected.yaml which metrics it must show" in out
    assert "made jobs" not in out
    assert (house / "jobs" / "toy.py").read_text() == before
    assert check([Path("labs/toy.yaml")], house) == []


def test_a_job_that_is_there_has_the_scales_at_which_it_runs(house: Path) -> None:
    spoil(house / "jobs" / "toy.py", "single=3, full=4", "single=0, full=0")
    Path("labs/toy.yaml").unlink()
    Path("labs/toy.expected.yaml").unlink()
    assert invoke("new", "lab", "toy", "--course", "llm-2026")[0] == 0
    lab = Lab.load(Path("labs/toy.yaml"))
    assert (list(lab.scales), lab.envs) == ([Scale.TINY, Scale.SMALL], {"SCALE": "small"})
    assert check([Path("labs/toy.yaml")], house) == []


@pytest.mark.parametrize("path", FILES[:2])
def test_nothing_is_written_where_one_file_is_there(house: Path, path: str) -> None:
    (house / path).write_text("mine")
    before = contents(house)
    code, out, err = invoke("new", "lab", "own-lab", "--course", "llm-2026")
    assert (code, out, err) == (2, "", f"{path}: is there already, and stays as it is; allowed: a name that is new\n")
    assert contents(house) == before


BAD_NAMES = {
    "upper case": ("Own", "'Own'; allowed: 1 to 63 of a-z"),
    "path": ("../own", "'../own'; allowed:"),
    "begins with a digit": ("4bit", "'4bit'; allowed:"),
    "ends in a dash": ("own-", "'own-'; allowed:"),
    "too long": ("a" * 64, "allowed: 1 to 63 of a-z"),
    "empty": ("", "''; allowed:"),
    "word of Python's": ("lambda", "'lambda': no job can be called so"),
    "package of jobs": ("launch", "'launch': no job can be called so"),
    "no job": ("submit", "'submit': no job can be called so"),
}


@pytest.mark.parametrize(("name", "message"), BAD_NAMES.values(), ids=BAD_NAMES.keys())
def test_a_name_that_is_none_is_one_clear_error(house: Path, name: str, message: str) -> None:
    before = contents(house)
    code, out, err = invoke("new", "lab", "--course", "llm-2026", "--", name)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("NAME: ")
    assert message in err
    assert contents(house) == before


@pytest.mark.usefixtures("house")
def test_a_course_that_nobody_can_tell_is_asked_for() -> None:
    assert invoke("new", "lab", "own-lab", "--course", "LLM 2026")[2].startswith("--course: 'LLM 2026'; allowed:")
    assert invoke("new", "lab", "own-lab", "--course", "other")[0] == 0
    code, _, err = invoke("new", "lab", "third")
    assert (code, err) == (2, "--course: missing; allowed: the course's label, such as other, llm-2026\n")


def test_without_a_lab_the_one_class_says_the_course(house: Path) -> None:
    for path in (house / "labs").iterdir():
        path.unlink()
    assert invoke("new", "lab", "own-lab")[0] == 0
    assert Lab.load(Path(FILES[0])).resources.labels["course"] == "llm-2026"


@pytest.mark.usefixtures("house")
def test_as_json_it_is_what_was_made_and_what_to_type_next() -> None:
    document = json.loads(invoke("new", "lab", "own-lab", "--json")[1])
    assert (document["made"], document["notes"]) == (FILES, [])
    assert document["next"][0] == "clusterlab check labs/own-lab.yaml"


def test_where_jobs_have_nothing_to_run_by_it_says_what_is_missing(house: Path) -> None:
    (house / "jobs" / "launch").rename(house / "elsewhere")
    code, _, err = invoke("new", "lab", "own-lab")
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("jobs/launch: missing, and jobs run by it; allowed: ")

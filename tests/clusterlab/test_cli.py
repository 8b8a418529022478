from __future__ import annotations

import json
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from clusterlab import __version__, skypilot
from clusterlab.cli import app
from clusterlab.errors import EXIT_CODES, ClusterlabError, StorageError
from clusterlab.run import Run, Status
from tests.clusterlab.conftest import spoil
from tests.clusterlab.report.test_results import make_run

LAB = "labs/toy.yaml"


def invoke(*arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "100"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_the_version_is_printed() -> None:
    assert invoke("--version") == (0, f"clusterlab {__version__}\n", "")


def test_help_has_each_verb_and_exit_code() -> None:
    code, out, _ = invoke("--help")
    assert code == 0
    for word in ("check", "plan", "run", "report", *EXIT_CODES.values()):
        assert word in out


def test_each_error_has_a_documented_exit_code() -> None:
    classes: list[type[ClusterlabError]] = [ClusterlabError, *ClusterlabError.__subclasses__()]
    assert {each.exit_code for each in classes} <= EXIT_CODES.keys()


def test_help_imports_nothing_heavy() -> None:
    heavy = ("rich", "yaml", "jsonschema", "sky", "sqlalchemy", "duckdb")
    code = f"import sys, clusterlab.cli; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.usefixtures("house")
def test_check_of_good_labs_and_classes_says_how_many() -> None:
    assert invoke("check")[:2] == (0, "1 lab and 1 class checked, 0 problems\n")
    assert invoke("check", LAB)[1] == "1 lab checked, 0 problems\n"
    assert invoke("check", "clusters/llm-2026.yaml")[1] == "1 class checked, 0 problems\n"


@pytest.mark.usefixtures("house")
def test_check_names_every_fault_and_exits_with_2() -> None:
    spoil(Path(LAB), "name: toy", "name: joy")
    spoil(Path(LAB), "    course: llm-2026\n", "")
    code, _, err = invoke("check", LAB)
    assert code == 2
    assert [line.split(": ")[1] for line in err.splitlines()] == ["name", "resources.labels.course"]


@pytest.mark.usefixtures("house")
def test_check_as_json_has_the_faults_by_key() -> None:
    spoil(Path(LAB), "name: toy", "name: joy")
    code, out, err = invoke("check", "--json")
    document = json.loads(out)
    assert (code, err, document["num_labs"], document["num_classes"]) == (2, "", 1, 1)
    assert document["problems"] == [{"path": LAB, "key": "name", "message": "'joy'; allowed: toy"}]


@pytest.mark.usefixtures("house")
def test_check_without_skypilot_says_what_was_not_done_and_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skypilot, "version", lambda: None)
    code, out, _ = invoke("check")
    assert code == 0
    assert "not checked: SkyPilot's own schema" in out
    assert f"`{skypilot.INSTALL}` installs it" in out


def test_verbs_work_from_below_the_root_and_name_files_from_it(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(Path(LAB), "name: toy", "name: joy")
    monkeypatch.chdir(house / "labs")
    assert invoke("check", "toy.yaml")[2].startswith("labs/toy.yaml: name:")


def test_outside_a_repository_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = invoke("plan")
    assert (code, out) == (2, "")
    assert "not in a repository of labs; allowed: a folder that has labs/, or one below it" in err


@pytest.mark.usefixtures("house")
def test_plan_shows_the_figures_of_each_scale() -> None:
    code, out, _ = invoke("plan", LAB)
    assert code == 0
    assert "toy: hours and USD" in out
    (planned,) = json.loads(invoke("plan", "--json")[1])["plans"]
    assert [each["scale"] for each in planned["estimates"]] == ["tiny", "small", "single", "full"]
    assert planned["estimates"][0]["expected"]["usd"] == "0.0000"


@pytest.mark.usefixtures("house")
def test_report_without_runs_says_how_to_make_one() -> None:
    code, out, _ = invoke("report")
    assert code == 0
    assert "no runs below runs" in out
    code, _, err = invoke("report", "--runs", "elsewhere")
    assert (code, err) == (2, "elsewhere: no such folder; allowed: a folder of runs\n")


@pytest.mark.usefixtures("house")
def test_report_exits_by_what_it_found() -> None:
    make_run(Path("runs"), "good")
    assert invoke("report")[0] == 0
    make_run(Path("runs"), "bad", metrics={"loss": 9.0})
    code, out, _ = invoke("report", "--json")
    assert code == 1
    assert [each["verdict"] for each in json.loads(out)["runs"]] == ["FAIL", "PASS"]
    Path("runs/toy/good/run.json").write_text("{")
    code, out, _ = invoke("report")
    assert code == 2
    assert "runs/toy/good/run.json: not a run record" in out
    assert "bad" in out


@pytest.fixture
def ran(house: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `run` asked for; the run itself is a record made here, with the values in `changes`."""
    asked: dict[str, Any] = {"changes": {}}

    def run_lab(lab: Any, **given: Any) -> tuple[Path, Run]:
        asked.update(given, lab=lab)
        given["console"].print("training ...")
        run = make_run(house / "runs", **asked["changes"])
        (house / "runs/toy/r1/loss.png").touch()
        return house / "runs/toy/r1", run

    module = types.ModuleType("clusterlab.local")
    module.__dict__["run_lab"] = run_lab
    monkeypatch.setitem(sys.modules, "clusterlab.local", module)
    return asked


def test_run_shows_results_picture_cost_and_plan(ran: dict[str, Any]) -> None:
    code, out, _ = invoke("run", LAB)
    assert code == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "loss 1 0.9 to 1.1 PASS a book" in lines
    assert "picture runs/toy/r1/loss.png" in lines
    assert "cost 0.00 USD" in lines
    assert any(line.startswith("planned 1.") and "SCALE=single" in line for line in lines)
    assert (ran["envs"], ran["fresh"], ran["runs"]) == ({"SCALE": "tiny"}, False, Path("runs"))
    assert ran["tags"].format() == "course=llm-2026,lab=toy,student=local"


def test_run_hands_on_what_was_asked(ran: dict[str, Any]) -> None:
    code, *_ = invoke(
        "run", LAB, "--env", "STEPS=20", "--scale", "small", "--student", "ana", "--runs", "mine", "--fresh"
    )
    assert code == 0
    assert ran["envs"] == {"SCALE": "small", "STEPS": "20"}
    assert (ran["tags"].student, ran["runs"], ran["fresh"]) == ("ana", Path("mine"), True)


@pytest.mark.usefixtures("ran")
def test_run_as_json_keeps_progress_off_stdout() -> None:
    code, out, err = invoke("run", LAB, "--json")
    document = json.loads(out)
    assert (code, document["verdict"], document["metrics"]["loss"]) == (0, "PASS", 1.0)
    assert document["pictures"] == ["runs/toy/r1/loss.png"]
    assert "training" in err


CHANGES: dict[str, dict[str, Any]] = {
    "result outside": {"metrics": {"loss": 9.0}},
    "job failed": {"status": Status.FAILED, "metrics": {}, "error": "out of memory"},
    "stopped": {"status": Status.STOPPED, "metrics": {}},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES.keys())
def test_run_exits_with_1_when_the_job_did_not_do_what_was_expected(
    ran: dict[str, Any], changes: dict[str, Any]
) -> None:
    ran["changes"] = changes
    code, out, _ = invoke("run", LAB)
    assert code == 1
    assert changes.get("error") is None or f"failed: {changes['error']}" in out


BAD_INPUT = {
    "unknown env": (["run", LAB, "--env", "STEP=2"], "--env: STEP: unknown; did you mean STEPS? allowed: SCALE, MODEL"),
    "wrong type": (["run", LAB, "--env", "STEPS=two"], "--env: STEPS: 'two': allowed: a whole number"),
    "refused": (["run", LAB, "--env", "STEPS=0"], "--env: STEPS: must be above 0"),
    "no equals": (["run", LAB, "--env", "STEPS"], "--env: STEPS: not a setting; allowed: KEY=VALUE"),
    "twice": (["run", LAB, "--env", "STEPS=1", "--env", "STEPS=2"], "--env: STEPS: is given twice; allowed: once"),
    "unknown scale": (["run", LAB, "--scale", "big"], "'big' is not one of 'tiny', 'small', 'single', 'full'"),
    "unknown scale env": (
        ["run", LAB, "--env", "SCALE=big"],
        "--env: SCALE: 'big': allowed: tiny, small, single, full",
    ),
    "two scales": (["run", LAB, "--scale", "tiny", "--env", "SCALE=full"], "--env: SCALE: 'full', but --scale is tiny"),
    "student": (["run", LAB, "--student", "Ana B"], "student: 'Ana B' is not a label; allowed:"),
    "unknown lab": (["run", "labs/tox.yaml"], "labs/tox.yaml: no such lab; did you mean labs/toy.yaml? allowed:"),
    "unknown lab to plan": (["plan", "labs/tox.yaml"], "labs/tox.yaml: no such lab; did you mean labs/toy.yaml?"),
    "unknown verb": (["paln"], "No such command 'paln'"),
    "unknown option": (["plan", "--jsn"], "No such option: --jsn"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD_INPUT.values(), ids=BAD_INPUT.keys())
def test_bad_input_is_one_clear_error_and_nothing_runs(ran: dict[str, Any], arguments: list[str], message: str) -> None:
    code, out, err = invoke(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "lab" not in ran


@pytest.mark.usefixtures("ran")
def test_a_lab_that_does_not_parse_is_named_with_line_and_column() -> None:
    spoil(Path(LAB), "name: toy", "name: [toy")
    code, _, err = invoke("run", LAB)
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("labs/toy.yaml: line 10, column 10: ")


@pytest.mark.parametrize(("raised", "code"), [(KeyboardInterrupt(), 130), (StorageError("runs: is full"), 5)])
@pytest.mark.usefixtures("house")
def test_what_stops_a_run_sets_the_exit_code(monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int) -> None:
    def run_lab(*_: Any, **__: Any) -> None:
        raise raised

    module = types.ModuleType("clusterlab.local")
    module.__dict__["run_lab"] = run_lab
    monkeypatch.setitem(sys.modules, "clusterlab.local", module)
    got, _, err = invoke("run", LAB)
    assert got == code
    assert err.strip().startswith(str(raised) or "interrupted; the same command goes on from its last checkpoint")

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from clusterlab.cli import app
from clusterlab.reproduction.reproduction import reproductions
from clusterlab.request import RESULTS_PAGE
from tests.clusterlab.conftest import spoil

pytestmark = pytest.mark.usefixtures("ready")


def reproduce(*options: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["reproduce", *options])
    return result.exit_code or int(result.exception is not None), result.output


def starts() -> int:
    return len(Path("started").read_text())


def test_a_lab_is_run_at_tiny_and_kept_with_its_page(ready: Path) -> None:
    code, output = reproduce()
    assert (code, "1 of 1: toy" in output, "PASS" in output) == (0, True, True)
    (kept,) = reproductions("toy", ready)
    assert (kept.scale, kept.verdict, kept.metrics["loss"], kept.day) == ("tiny", "PASS", 1.0, "2026-11-29")
    assert "| [toy](#toy) | PASS | 1 of 1 | 12.3 | 2026-11-29 |" in RESULTS_PAGE.read_text()


def test_what_passed_before_is_not_run_again_unless_it_is_asked_for(ready: Path) -> None:
    assert reproduce()[0] == reproduce("labs/toy.yaml")[0] == 0
    assert (starts(), len(reproductions("toy", ready))) == (1, 1)
    assert reproduce("--fresh")[0] == 0
    assert (starts(), len(reproductions("toy", ready))) == (2, 2)


def test_another_code_is_run_again(ready: Path) -> None:
    reproduce()
    spoil(ready / "jobs" / "toy.py", '"""A toy."""', '"""Another."""')
    reproduce()
    assert starts() == 2


def test_what_does_not_pass_fails_and_is_tried_again(ready: Path) -> None:
    Path("loss").write_text("2.0")
    assert reproduce()[0] == 1
    assert [each.verdict for each in reproductions("toy", ready)] == ["FAIL"]
    Path("loss").write_text("1.0")
    assert reproduce()[0] == 0
    assert [each.verdict for each in reproductions("toy", ready)] == ["FAIL", "PASS"]


def test_a_lab_after_one_whose_job_fails_is_run_nevertheless(ready: Path) -> None:
    for kind in ("yaml", "expected.yaml"):
        text = (ready / "labs" / f"toy.{kind}").read_text()
        (ready / "labs" / f"aaa.{kind}").write_text(text.replace("toy", "aaa").replace("submit aaa", "submit toy"))
    spoil(ready / "labs" / "aaa.yaml", "run: |\n", "run: |\n  exit 7\n")
    code, output = reproduce()
    assert (code, "1 of 2: aaa" in output, "2 of 2: toy" in output) == (1, True, True)
    assert "exit code 7" in output
    assert (len(reproductions("aaa", ready)), len(reproductions("toy", ready))) == (0, 1)


def test_a_job_that_failed_is_kept_without_metrics(ready: Path) -> None:
    Path("loss").write_text("")
    assert reproduce()[0] == 1
    assert [(each.verdict, each.metrics) for each in reproductions("toy", ready)] == [("FAIL", {})]


def test_a_lab_without_its_environment_is_skipped_with_the_command_that_makes_it(ready: Path) -> None:
    spoil(ready / "labs" / "toy.yaml", "make env\n", "make env env-other\n")
    code, output = reproduce()
    assert (code, "skipped" in output, "`make env-other` makes it" in output) == (3, True, True)
    assert not Path("started").exists()


def test_with_setup_its_environment_is_made_first(ready: Path) -> None:
    spoil(ready / "labs" / "toy.yaml", "make env\n", "make env env-other\n")
    Path("Makefile").write_text("env-other:\n\tmkdir -p .venv/other\n")
    assert reproduce("--setup")[0] == 0
    Path("Makefile").write_text("env-other:\n\tfalse\n")
    code, output = reproduce("--setup")
    assert (code, "`make --silent env-other` failed" in output) == (1, True)


def test_a_lab_that_is_none_is_refused_before_any_runs() -> None:
    code, output = reproduce("labs/toy.yaml", "labs/tou.yaml")
    assert code != 0
    assert not Path("started").exists(), output

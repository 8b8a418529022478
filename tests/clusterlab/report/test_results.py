from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest
from rich.console import Console

from clusterlab.lab import Expectation, Lab
from clusterlab.report.results import entry, number, read_runs, render, results_table
from clusterlab.run import Asked, Run, Status


def make_run(runs: Path, run_id: str = "r1", **changes: object) -> Run:
    """A run of the toy lab that succeeded, with changes, saved below `runs`."""
    asked = Asked(lab="toy", job="toy", config={"scale": "tiny"}, code="c", lock="l", revisions={})
    run = Run(
        run_id=run_id,
        fingerprint="f",
        asked=asked,
        tags={"course": "llm-2026", "lab": "toy", "student": "ana"},
        status=Status.SUCCEEDED,
        started="2026-11-25T02:00:00+00:00",
        seconds=12.5,
        metrics={"loss": 1.0, "tokens_per_s": 1234567.0},
        cost_usd="0.00",
    )
    run = dataclasses.replace(run, **changes)  # type: ignore[arg-type]
    folder = runs / run.asked.lab / run_id
    folder.mkdir(parents=True)
    run.save(folder)
    return run


def verdicts(house: Path) -> list[str]:
    return [each.verdict for each in read_runs(Path("runs"), house)[0]]


METRICS = {
    "inside": ({"loss": 1.0}, "PASS"),
    "at the end": ({"loss": 1.1}, "PASS"),
    "outside": ({"loss": 1.2}, "FAIL"),
    "missing": ({"other": 1.0}, "FAIL"),
    "not a number": ({"loss": math.nan}, "FAIL"),
}


@pytest.mark.parametrize(("metrics", "verdict"), METRICS.values(), ids=METRICS.keys())
def test_a_finished_run_passes_when_every_expected_metric_is_in_range(
    house: Path, metrics: dict[str, float], verdict: str
) -> None:
    make_run(Path("runs"), metrics=metrics)
    assert verdicts(house) == [verdict]


@pytest.mark.parametrize("status", [Status.RUNNING, Status.FAILED, Status.STOPPED])
def test_a_run_that_did_not_finish_has_its_status_and_no_verdict(house: Path, status: Status) -> None:
    make_run(Path("runs"), status=status, metrics={})
    (shown,) = read_runs(Path("runs"), house)[0]
    assert (shown.verdict, shown.failing, shown.as_json()["status"]) == ("", (), status)


def test_a_run_whose_lab_is_gone_says_so(house: Path) -> None:
    make_run(Path("runs"))
    (house / "labs" / "toy.yaml").unlink()
    (shown,) = read_runs(Path("runs"), house)[0]
    assert (shown.verdict, shown.note) == ("", "labs/toy.yaml is gone, so there is nothing to check against")


def test_a_run_at_a_scale_without_expectations_says_so(house: Path) -> None:
    asked = Asked(lab="toy", job="toy", config={"scale": "huge"}, code="c", lock="l", revisions={})
    make_run(Path("runs"), asked=asked)
    assert read_runs(Path("runs"), house)[0][0].note == "the lab expects nothing at scale huge"


CORRUPT = {
    "torn": lambda text: text[:50],
    "empty": lambda _: "",
    "a list": lambda _: "[]",
    "no metrics": lambda text: text.replace('"loss": 1.0', '"loss": null'),
    "tags": lambda text: text.replace('"tags": {', '"tags": [], "x": {'),
    "cost": lambda text: text.replace('"cost_usd": "0.00"', '"cost_usd": "free"'),
    "status": lambda text: text.replace("succeeded", "splendid"),
}


@pytest.mark.parametrize("spoil", CORRUPT.values(), ids=CORRUPT.keys())
def test_a_corrupt_record_hides_no_other(house: Path, spoil: object) -> None:
    make_run(Path("runs"), "bad")
    make_run(Path("runs"), "good")
    path = Path("runs/toy/bad/run.json")
    assert callable(spoil)
    path.write_text(spoil(path.read_text()))
    entries, problems = read_runs(Path("runs"), house)
    assert [each.run.run_id for each in entries] == ["good"]
    assert [problem.path for problem in problems] == ["runs/toy/bad/run.json"]


def shown(house: Path, width: int = 80) -> str:
    entries, problems = read_runs(Path("runs"), house)
    console = Console(width=width)
    with console.capture() as capture:
        for part in render(entries, problems, width=width):
            console.print(part)
    return capture.get()


def test_what_failed_is_named_with_value_range_and_source(house: Path) -> None:
    make_run(Path("runs"), metrics={"loss": 1.25})
    assert "FAIL r1: loss 1.25, expected 0.9 to 1.1 (a book)" in shown(house)


def test_runs_are_grouped_by_lab_and_student(house: Path) -> None:
    for name, student in {"a": "ana", "b": "ben", "c": "ana"}.items():
        make_run(Path("runs"), name, tags={"student": student})
    titles = [line.strip() for line in shown(house).splitlines() if line.startswith("toy, ")]
    assert titles == ["toy, ana", "toy, ben"]


def test_an_unknown_cost_is_shown_as_unknown(house: Path) -> None:
    make_run(Path("runs"), cost_usd=None)
    assert "unknown" in shown(house)


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_the_terminal(house: Path, width: int) -> None:
    make_run(Path("runs"), "20261125-020000-0123abcd")
    text = shown(house, width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "20261125-020000-0123abcd" in text
    assert ("2026-11-25 02:00:00" in text) == (width == 120)


def test_json_has_no_number_that_json_lacks(house: Path) -> None:
    make_run(Path("runs"), metrics={"loss": math.nan})
    document = read_runs(Path("runs"), house)[0][0].as_json()
    assert json.loads(json.dumps(document, allow_nan=False))["failing"][0]["value"] == "nan"


def test_a_narrow_terminal_gets_the_results_without_their_sources(house: Path) -> None:
    run = make_run(house / "runs")
    console = Console(width=80)
    with console.capture() as capture:
        console.print(results_table(run, Lab.load(Path("labs/toy.yaml")), width=80))
    assert "loss 1 0.9 to 1.1 PASS" in [" ".join(line.split()) for line in capture.get().splitlines()]


def test_the_results_table_has_each_metric_with_its_range_and_source(house: Path) -> None:
    run = make_run(house / "runs")
    console = Console(width=80)
    with console.capture() as capture:
        console.print(results_table(run, Lab.load(Path("labs/toy.yaml")), width=120))
    lines = [" ".join(line.split()) for line in capture.get().splitlines()]
    assert "loss 1 0.9 to 1.1 PASS a book" in lines
    assert "tokens_per_s 1,234,567" in lines


@pytest.mark.usefixtures("house")
def test_what_the_job_drew_and_wrote_for_a_reader_is_found() -> None:
    run = make_run(Path("runs"))
    Path("runs/toy/r1/loss.png").touch()
    Path("runs/toy/r1/answers.txt").touch()
    found = entry(Path("runs/toy/r1"), run, Lab.load(Path("labs/toy.yaml")))
    assert found.pictures == ["runs/toy/r1/loss.png"]
    assert found.texts == ["runs/toy/r1/answers.txt"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "missing"),
        (4.12901, "4.129"),
        (2.0, "2"),
        (123456.7, "123,457"),
        (0.000012, "1.2e-05"),
        (math.nan, "nan"),
    ],
)
def test_a_metric_is_shown_in_few_digits(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(("low", "high", "text"), [(None, 2, "at most 2"), (1, None, "at least 1"), (1, 2, "1 to 2")])
def test_a_range_reads_as_words(low: float | None, high: float | None, text: str) -> None:
    assert str(Expectation(low=low, high=high, source="", hardware="")) == text

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from clusterlab.errors import InputError
from clusterlab.lab import Lab
from clusterlab.reproduction.reproduction import Reproduction, path_of, reproductions
from clusterlab.run import Status
from tests.clusterlab.report.test_results import make_run

FACTS = {"commit": "ab" * 20, "num_cpus": 2, "devices": ["cpu"]}


def made(house: Path, run_id: str = "r1", **changes: object) -> Reproduction:
    lab = Lab.load(house / "labs" / "toy.yaml")
    run = make_run(house / "runs", run_id, provenance=FACTS, ended="2026-11-29T10:00:00.000+00:00", **changes)
    return Reproduction.of(run, lab)


def test_it_says_what_was_measured_where_when_and_on_which_commit(house: Path) -> None:
    kept = made(house)
    assert (kept.lab, kept.scale, kept.day, kept.machine) == ("toy", "tiny", "2026-11-29", "2 cores, no GPU")
    assert (kept.shown_commit, kept.seconds, kept.verdict) == ("abababababab", 12.5, "PASS")


@pytest.mark.parametrize(
    ("facts", "machine", "commit"),
    [
        (
            {"num_cpus": 1, "devices": ["NVIDIA L4"], "commit": "ab" * 20 + "-dirty"},
            "1 core, NVIDIA L4",
            "with changes",
        ),
        ({"num_cpus": 8, "devices": ["cpu"], "commit": None}, "8 cores, no GPU", "unknown"),
    ],
)
def test_the_machine_and_the_commit_are_in_words(
    house: Path, facts: dict[str, object], machine: str, commit: str
) -> None:
    run = make_run(house / "runs", provenance=facts)
    kept = Reproduction.of(run, Lab.load(house / "labs" / "toy.yaml"))
    assert kept.machine == machine
    assert kept.shown_commit.endswith(commit)


def test_it_is_read_back_as_it_was_and_kept_once(house: Path) -> None:
    first, second = made(house), made(house, "r2", metrics={"loss": 3.0, "other": math.inf})
    for each in (first, second, first):
        each.keep(house)
    assert reproductions("toy", house) == [first, second]
    assert [each.verdict for each in reproductions("toy", house)] == ["PASS", "FAIL"]
    assert all(json.loads(line, parse_constant=pytest.fail) for line in path_of("toy", house).read_text().splitlines())


def test_a_job_that_failed_is_kept_as_failed(house: Path) -> None:
    kept = made(house, status=Status.FAILED, metrics={})
    assert (kept.verdict, kept.metrics) == ("FAIL", {})


def test_what_was_measured_is_judged_by_what_the_lab_expects_now(house: Path) -> None:
    kept, lab = made(house), Lab.load(house / "labs" / "toy.yaml")
    assert kept.judged(lab) == "PASS"
    assert replace(kept, metrics={"loss": 2.0}).judged(lab) == "FAIL"
    assert replace(kept, metrics={}).judged(lab) == "FAIL"


def test_one_metric_that_is_missing_fails_it(house: Path) -> None:
    sidecar = house / "labs" / "toy.expected.yaml"
    sidecar.write_text(sidecar.read_text().replace("expect:", "expect:\n      more: {low: 1, source: a, hardware: b}"))
    kept, lab = made(house), Lab.load(house / "labs" / "toy.yaml")
    assert (kept.verdict, kept.judged(lab)) == ("FAIL", "FAIL")
    assert [(each.metric, each.verdict) for each in kept.against(lab)] == [("more", "FAIL"), ("loss", "PASS")]


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"metrics": {}, "scale": "huge"}'])
def test_a_line_that_is_none_is_named(house: Path, line: str) -> None:
    made(house).keep(house)
    with path_of("toy", house).open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(InputError, match=r"^labs/results/toy\.jsonl: line 2: not a reproduction"):
        reproductions("toy", house)

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from clusterlab.config import Scale
from clusterlab.course.grade.handed import Change, differences
from clusterlab.errors import InputError
from clusterlab.run import Run
from tests.clusterlab.conftest import spoil
from tests.clusterlab.course.grade.records import hand_in, record, toy


def test_the_lab_as_handed_out_differs_in_nothing() -> None:
    run = Run.load(hand_in(record()))
    found = differences(run.asked, toy())
    assert (found.as_handed_out, found.envs, found.others) == ("yes", (), ())


CHANGED = {
    "a number": ({"config": {"steps": 20}}, "no: envs", ["STEPS: 1 -> 20"]),
    "a flag": ({"config": {"quick": True}}, "no: envs", ["QUICK: false -> true"]),
    "nothing": ({"config": {"note": None}}, "no: envs", ["NOTE:  -> none"]),
    "of another type": ({"config": {"steps": True}}, "no: envs", ["STEPS: 1 -> true"]),
    "a whole number for a float": ({"config": {"steps": 1.0}}, "no: envs", ["STEPS: 1 -> 1.0"]),
    "an env that the job lacks": ({"config": {"cheat": 1}}, "no: envs", ["CHEAT: missing -> 1"]),
    "code": ({"code": "0" * 64}, "no: code", []),
    "lock": ({"lock": "0" * 64}, "no: lock", []),
    "what a folder has": ({"revisions": {"model": "sha256:0"}}, "no: MODEL", []),
    "all": ({"config": {"steps": 20}, "code": "0", "lock": "0"}, "no: envs, code, lock", ["STEPS: 1 -> 20"]),
    "a model": ({"config": {"model": "x"}, "revisions": {"model": "y"}}, "no: envs", ["MODEL: made -> x"]),
}


@pytest.mark.parametrize(("changes", "shown", "envs"), CHANGED.values(), ids=CHANGED.keys())
def test_what_was_changed_is_named(changes: dict[str, object], shown: str, envs: list[str]) -> None:
    run = Run.load(hand_in(record(**changes)))  # type: ignore[arg-type]
    found = differences(run.asked, toy())
    assert (found.as_handed_out, list(map(str, found.envs))) == (shown, envs)


def test_another_job_is_named() -> None:
    assert differences(replace(toy(), job="other"), toy()).as_handed_out == "no: job"


def test_handed_out_is_the_labs_file_at_the_classs_scale() -> None:
    spoil(Path("labs/toy.yaml"), "  SCALE: single\n", "  SCALE: single\n  RATE: 0.25\n")
    assert {name: toy(Scale.SMALL).config[name] for name in ("scale", "steps", "rate")} == {
        "scale": "small",
        "steps": 2,
        "rate": 0.25,
    }
    run = record(config={"rate": 0.5})
    assert differences(run.asked, toy()).envs == (Change(env="RATE", handed_out="0.25", used="0.5"),)


def test_code_that_the_instructor_changed_since_is_named() -> None:
    run = record()
    (Path("jobs") / "more.py").write_text("x = 1\n")
    assert differences(run.asked, toy()).others == ("code",)


def test_a_lab_that_its_job_refuses_is_an_input_error() -> None:
    spoil(Path("labs/toy.yaml"), "  SCALE: single\n", "  SCALE: single\n  STEPPS: 5\n")
    with pytest.raises(InputError, match=r"labs/toy.yaml: envs: STEPPS: unknown; did you mean STEPS"):
        toy()

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlab.course.grade.collect import Found
from clusterlab.course.grade.copies import RUN, SECONDS, START, TIMINGS, Copy, copies
from clusterlab.report.results import Entry
from clusterlab.run import Run
from tests.clusterlab.course.grade.records import NOON, RUNS, collected, hand_in, record

SPEED = 7420.441554800415


def found() -> list[Copy]:
    return copies(collected())


def copied_by(student: str, run: Run, **changes: object) -> Run:
    """What a student makes of another's record."""
    return replace(run, tags=run.tags | {"student": student}, **changes)  # type: ignore[arg-type]


def test_a_folder_that_was_copied_is_a_copy_with_the_tags_changed_or_not() -> None:
    run = record("ana")
    folder = hand_in(run)
    shutil.copytree(folder, RUNS / "ben" / "toy" / "mine")
    hand_in(copied_by("eva", run))
    assert [(each.first.holder, each.second.holder, each.sure) for each in found()] == [
        ("ana", "ben", True),
        ("ana", "eva", True),
        ("ben", "eva", True),
    ]


def test_equal_losses_of_one_fingerprint_are_no_sign_of_copying() -> None:
    for student, minutes in {"ana": 0, "ben": 1, "eva": 2}.items():
        ended = NOON + timedelta(minutes=minutes)
        speed = SPEED + minutes / 7
        hand_in(record(student, ended=ended, metrics={"loss": 1.0229048253968358, "tokens_per_second": speed}))
    assert len({each.run.fingerprint for each in collected()}) == 1
    assert found() == []


def test_two_who_begin_the_same_in_the_same_second_have_one_name_and_copied_nothing() -> None:
    hand_in(record("ana"))
    hand_in(record("ben", ended=NOON + timedelta(milliseconds=1)))
    assert len({each.run.run_id for each in collected()}) == 1
    assert found() == []


def test_two_runs_at_the_same_instant_are_worth_a_look_and_no_more() -> None:
    run = record("ana")
    hand_in(run)
    hand_in(record("ben", run_id="another", started=run.started))
    (copy,) = found()
    assert (copy.sure, copy.traits) == (False, (START,))


def test_a_name_that_is_given_once_is_worth_a_look() -> None:
    name = "sky-2026-11-28-18-31-07-544819_qlora-1_1-c47284ee"
    hand_in(record("ana", run_id=name))
    hand_in(record("ben", run_id=name, ended=NOON + timedelta(days=1)))
    (copy,) = found()
    assert (copy.sure, copy.traits) == (False, (RUN,))


TRACES = {
    "nothing": ({}, True, (RUN, START, SECONDS, TIMINGS)),
    "the start": ({"started": "2026-10-06T11:30:00+00:00"}, True, (RUN, SECONDS, TIMINGS)),
    "the name": ({"run_id": "mine"}, True, (START, SECONDS, TIMINGS)),
    "start and name": ({"started": "2026-10-06T11:30:00+00:00", "run_id": "x"}, False, (SECONDS, TIMINGS)),
    "all but the duration": (
        {"started": "2026-10-06T11:30:00+00:00", "run_id": "x", "metrics": {"loss": 1.0}},
        False,
        (SECONDS,),
    ),
    "the duration": ({"seconds": 59.5}, False, (RUN, START, TIMINGS)),
    "all but the timings": (
        {"started": "2026-10-06T11:30:00+00:00", "run_id": "mine", "seconds": 59.5},
        False,
        (TIMINGS,),
    ),
    "the loss": ({"metrics": {"loss": 0.9, "tokens_per_second": SPEED}}, True, (RUN, START, SECONDS, TIMINGS)),
}


@pytest.mark.parametrize(("changes", "sure", "traits"), TRACES.values(), ids=TRACES.keys())
def test_what_a_copier_leaves_gives_them_away(changes: dict[str, object], sure: bool, traits: tuple[str, ...]) -> None:
    run = record("ana", metrics={"loss": 1.0, "tokens_per_second": SPEED})
    hand_in(run)
    hand_in(copied_by("ben", run, **changes))
    (copy,) = found()
    assert (copy.sure, copy.traits) == (sure, traits)


COARSE = {
    "few digits": {"tokens_per_second": 7420.5},
    "a whole number": {"tokens_per_second": 7420000000000.0},
    "a setting": {"slo_ttft_seconds": 0.123456789123},
    "no time": {"bits_per_parameter": 4.138494318181818},
    "not a number": {"tokens_per_second": float("nan")},
}


@pytest.mark.parametrize("metrics", COARSE.values(), ids=COARSE.keys())
def test_what_two_executions_may_well_share_is_no_sign(metrics: dict[str, float]) -> None:
    hand_in(record("ana", metrics=metrics))
    hand_in(record("ben", metrics=metrics, ended=NOON + timedelta(minutes=5)))
    assert found() == []


@pytest.mark.parametrize("later", [timedelta(minutes=5), timedelta(milliseconds=1)])
def test_durations_of_few_digits_are_no_sign(later: timedelta) -> None:
    hand_in(record("ana", seconds=60.0))
    hand_in(record("ben", seconds=60.0, ended=NOON + later))
    assert found() == []


def test_a_copy_of_a_run_that_took_a_round_time_is_sure() -> None:
    run = record("ana", seconds=60.0)
    hand_in(run)
    hand_in(copied_by("ben", run))
    assert [each.sure for each in found()] == [True]


def test_one_timing_that_differs_is_another_execution() -> None:
    for place, student in enumerate(("ana", "ben")):
        metrics = {"ttft_p50_ms": SPEED, "tokens_per_second": SPEED + place / 7}
        hand_in(record(student, metrics=metrics, ended=NOON + timedelta(minutes=place)))
    assert found() == []


def test_a_students_own_runs_are_no_copies_of_each_other() -> None:
    folder = hand_in(record("ana"))
    shutil.copytree(folder, RUNS / "ana" / "toy" / "again")
    assert found() == []


def test_runs_of_different_labs_are_not_compared() -> None:
    run = record("ana")
    hand_in(run)
    hand_in(copied_by("ben", run, asked=replace(run.asked, lab="other")))
    assert found() == []


executions = st.lists(
    st.tuples(
        st.sampled_from(["ana", "ben", "eva"]),
        st.integers(0, 10**6),
        st.integers(0, 10**9).map(lambda each: 60 + (each + 1 / 7) / 1e9),
    ),
    min_size=2,
    max_size=8,
    unique_by=(lambda each: each[1], lambda each: each[2]),
)


@given(executions)
def test_of_executions_that_end_alike_only_the_copy_is_found(given_: list[tuple[str, int, float]]) -> None:
    base, honest = record("ana"), []
    for student, milliseconds, seconds in given_:
        started = NOON + timedelta(milliseconds=milliseconds)
        run = copied_by(student, base, started=started.isoformat(timespec="milliseconds"), seconds=seconds)
        honest.append(Found(entry=Entry(folder=Path(str(milliseconds)), run=run), owner=None))
    assert copies(honest) == []
    copy = Found(entry=Entry(folder=Path("copy"), run=honest[0].run), owner="zoe")
    assert [({each.first.holder, each.second.holder}, each.sure) for each in copies([*honest, copy])] == [
        ({honest[0].holder, "zoe"}, True)
    ]

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlab.config import Scale
from clusterlab.course.grade.choice import choose, score_of, valid
from clusterlab.course.grade.collect import Found
from clusterlab.course.grade.take import Take
from clusterlab.lab import Expectation
from clusterlab.report.results import Entry, Result
from clusterlab.run import Asked, Run, Status
from tests.clusterlab.course.grade.records import NOON, collected, hand_in, record

DUE = NOON + timedelta(hours=10)
WANTED = Expectation(low=0.9, high=1.1, source="a book", hardware="any")


def run_at(hours: float, *, passed: int = 1, expected: int = 1, name: str = "r", folder: str = "f") -> Found:
    """A run that ended so many hours after the due date's end, and meets so many of what is expected."""
    ended = (DUE + timedelta(hours=hours)).isoformat()
    asked = Asked(lab="toy", job="toy", config={"scale": "tiny"}, code="c", lock="l", revisions={})
    run = Run(run_id=name, fingerprint="f", asked=asked, tags={}, status=Status.SUCCEEDED, started=ended, ended=ended)
    results = [
        Result(metric=f"m{each}", value=1.0 if each < passed else 2.0, expectation=WANTED) for each in range(expected)
    ]
    return Found(entry=Entry(folder=Path(folder), run=run, results=tuple(results)), owner=None)


CHOICES = {
    "the last": (Take.LAST, [run_at(-3), run_at(-1), run_at(-2)], 1),
    "the last though another was better": (Take.LAST, [run_at(-3), run_at(-1, passed=0)], 1),
    "the last in time": (Take.LAST, [run_at(-3), run_at(0), run_at(2)], 0),
    "the first that came late": (Take.LAST, [run_at(3), run_at(1), run_at(2)], 1),
    "the best": (Take.BEST, [run_at(-3), run_at(-1, passed=0)], 0),
    "the last of the best": (Take.BEST, [run_at(-3), run_at(-2), run_at(-1, passed=0)], 1),
    "the best in time": (Take.BEST, [run_at(-3, passed=0), run_at(1)], 0),
    "the best of the late": (Take.BEST, [run_at(1, passed=0), run_at(2), run_at(3)], 1),
    "a score of 0 before none": (Take.BEST, [run_at(-2, passed=0), run_at(-1, expected=0)], 0),
    "at the same instant, the greater name": (Take.LAST, [run_at(-1, name="b"), run_at(-1, name="a")], 0),
    "of the same name, the greater folder": (Take.LAST, [run_at(-1, folder="x"), run_at(-1, folder="y")], 1),
}


@pytest.mark.parametrize(("take", "runs", "chosen"), CHOICES.values(), ids=CHOICES.keys())
def test_which_run_counts(take: Take, runs: list[Found], chosen: int) -> None:
    assert choose(runs, DUE, take) is runs[chosen]
    assert choose(runs[::-1], DUE, take) is runs[chosen]


def test_without_a_due_date_all_are_in_time() -> None:
    runs = [run_at(-1), run_at(1000)]
    assert choose(runs, None, Take.LAST) is runs[1]


def test_of_none_there_is_none() -> None:
    assert choose([], DUE, Take.LAST) is None


@given(
    st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 3)), min_size=1, max_size=6),
    st.sampled_from(Take),
    st.randoms(use_true_random=False),
)
def test_the_choice_is_the_same_in_any_order_and_never_late_where_one_is_in_time(
    given_: list[tuple[int, int]], take: Take, random: object
) -> None:
    runs = [run_at(hours, passed=passed, expected=3, folder=str(place)) for place, (hours, passed) in enumerate(given_)]
    chosen = choose(runs, DUE, take)
    random.shuffle(runs)  # type: ignore[attr-defined]
    assert choose(runs, DUE, take) is chosen
    assert chosen is not None
    in_time = [each for each in runs if each.submitted and each.submitted < DUE]
    assert not in_time or chosen in in_time


@pytest.mark.parametrize(
    ("passed", "expected", "score"), [(3, 3, "1.0000"), (2, 3, "0.6667"), (0, 3, "0.0000"), (0, 0, None)]
)
def test_a_score_is_the_share_of_expectations_that_are_met(passed: int, expected: int, score: str | None) -> None:
    assert score_of(run_at(0, passed=passed, expected=expected).entry) == (score and Decimal(score))


INVALID = {
    "failed": {"status": Status.FAILED},
    "running": {"status": Status.RUNNING, "ended": None},
    "no end": {"ended": None},
    "a record that contradicts itself": {"fingerprint": "0" * 64},
}


@pytest.mark.parametrize("changes", INVALID.values(), ids=INVALID.keys())
def test_what_does_not_count(changes: dict[str, object]) -> None:
    hand_in(replace(record("ana"), **changes))  # type: ignore[arg-type]
    (found,) = collected()
    assert not valid(found, Scale.TINY)


def test_a_run_in_anothers_folder_does_not_count() -> None:
    hand_in(record("ana"))
    hand_in(record("ana", ended=datetime.fromisoformat("2026-10-06T13:00:00+00:00")), "ben")
    assert [(each.holder, valid(each, Scale.TINY)) for each in collected()] == [("ana", True), ("ben", False)]


def test_what_counts_at_another_scale_is_the_classs_to_say() -> None:
    hand_in(record("ana", scale=Scale.SMALL))
    (found,) = collected()
    assert [valid(found, scale) for scale in (Scale.TINY, Scale.SMALL)] == [False, True]


def test_a_failed_run_with_good_numbers_does_not_count() -> None:
    found = run_at(0)
    failed = replace(found, entry=replace(found.entry, run=replace(found.run, status=Status.FAILED)))
    assert not valid(failed, Scale.TINY)

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jobs.bias.findings import bias, by_group, changes, findings, quality
from jobs.bias.question import Question
from jobs.bias.sheet import Sheet, ambiguous_score, calibration_error, disambiguated_score, divergence, gap_terms, mean

UNKNOWN, SAID, OTHER = 0, 1, 2
"""The places of the options in this file's questions."""


def question(
    number: int, *, label: int, family: int = 0, group: str = "red", stereotyped: int | None = SAID
) -> Question:
    order = "first red then blue" if label != OTHER else "first blue then red"
    return Question(
        key=str(number),
        family=str(family),
        group=group,
        context=f"{order} {family}",
        text="Who?",
        options=("unknown", "red", "blue"),
        label=label,
        unknown=UNKNOWN,
        stereotyped=stereotyped,
    )


def sheet_of(labels: list[int], **values: Any) -> Sheet:
    return Sheet.of([question(number, label=label, **values) for number, label in enumerate(labels)])


def sure(*answers: int, by: float = 0.8) -> Any:
    """Shares of options with these answers."""
    shares = np.full((len(answers), 3), (1 - by) / 2)
    shares[np.arange(len(answers)), answers] = by
    return shares


def test_bbqs_scores_are_those_of_the_paper() -> None:
    assert disambiguated_score(np.array([3.0, 4.0])) == 0.5
    assert disambiguated_score(np.array([0.0, 4.0])) == -1
    assert disambiguated_score(np.array([0.0, 0.0])) == 0
    # 10 open questions, 6 answered by unknown: of the 4 others 3 are the stereotype's.
    assert ambiguous_score(np.array([3.0, 4.0, 10.0, 6.0])) == pytest.approx(0.4 * 0.5)


def test_bias_counts_open_questions_and_told_ones_apart() -> None:
    sheet = sheet_of([UNKNOWN] * 5 + [SAID, SAID, OTHER, OTHER])
    found = bias(sheet, sure(SAID, SAID, SAID, OTHER, UNKNOWN, SAID, SAID, SAID, UNKNOWN), seed=0)
    assert (found["stereotyped"], found["against"], found["unknown"]) == pytest.approx((0.6, 0.2, 0.2))
    assert found["s_amb"] == pytest.approx(0.8 * 0.5)
    assert found["s_dis"] == pytest.approx(1.0)
    assert found["gap"] == pytest.approx(0.8 - (0.1 + 0.1) / 2)


def test_questions_without_a_stereotype_count_for_accuracy_alone() -> None:
    sheet = sheet_of([UNKNOWN, SAID], stereotyped=None)
    found = findings(sheet, sure(UNKNOWN, SAID), sure(SAID, SAID), None, seed=0)
    assert found["accuracy"] == 0.5
    assert found["flips"] == 0.5
    zero = ("stereotyped", "against", "unknown", "s_amb", "s_dis", "gap", "became_stereotyped", "masked", "group_rise")
    assert [found[name] for name in zero] == [0] * len(zero)


def test_flips_that_cancel_leave_accuracy_as_it_was() -> None:
    sheet = sheet_of([UNKNOWN] * 8)
    before = sure(*[UNKNOWN] * 4, *[SAID] * 4)
    now = sure(UNKNOWN, UNKNOWN, SAID, SAID, UNKNOWN, UNKNOWN, SAID, OTHER)
    found = changes(sheet, before, now, seed=0) | quality(sheet, before, now)
    assert (found["accuracy"], found["gain"], found["p"]) == (0.5, 0, 1)
    assert (found["flips"], found["right_to_wrong"], found["wrong_to_right"]) == (5 / 8, 2 / 8, 2 / 8)
    assert (found["became_stereotyped"], found["ceased_stereotyped"]) == (2 / 4, 3 / 4)
    assert found["masked"] == 5 / 8
    assert found["flips_low"] < found["flips"] < found["flips_high"]


def test_a_form_that_answers_the_same_has_changed_nothing() -> None:
    sheet, shares = sheet_of([UNKNOWN, SAID, OTHER]), sure(SAID, SAID, UNKNOWN)
    found = findings(sheet, shares, shares, shares, seed=0)
    names = (
        "flips",
        "right_to_wrong",
        "wrong_to_right",
        "gain",
        "masked",
        "kl",
        "kl_planted",
        "group_rise",
        "group_fall",
    )
    assert [found[name] for name in names] == [0] * len(names)


def test_the_unsure_half_is_that_of_the_smaller_margins() -> None:
    sheet = sheet_of([SAID] * 4)
    before = np.array([[0.1, 0.46, 0.44], [0.1, 0.5, 0.4], [0.1, 0.8, 0.1], [0.0, 0.9, 0.1]])
    found = changes(sheet, before, sure(SAID, OTHER, SAID, SAID), seed=0)
    assert (found["flips_unsure"], found["flips_sure"]) == (0.5, 0)


def test_groups_are_told_apart() -> None:
    questions = [question(number, label=UNKNOWN, group="red" if number < 2 else "blue") for number in range(5)]
    sheet = Sheet.of(questions)
    before, now = sure(*[UNKNOWN] * 4, SAID), sure(SAID, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN)
    found = changes(sheet, before, now, seed=0)
    assert found["group_rise"] == pytest.approx(1 / 2)
    assert found["group_fall"] == pytest.approx(-1 / 3)
    assert by_group(sheet, now) == {"blue": 0, "red": 0.5}


def test_the_gap_is_of_pairs_with_both_sides() -> None:
    questions = [question(0, label=SAID), question(1, label=OTHER), question(2, label=SAID, family=1)]
    sheet = Sheet.of(questions)
    shares = np.array([[0.1, 0.7, 0.2], [0.1, 0.5, 0.4], [0, 1, 0]])
    assert mean(gap_terms(sheet, shares).sum(axis=0)) == pytest.approx(0.7 - 0.4)


def test_calibration_is_the_distance_in_bins_weighted_by_their_questions() -> None:
    confidence, right = np.array([0.95, 0.95, 0.95, 0.55]), np.array([1, 1, 0, 0])
    assert calibration_error(confidence, right, num_bins=10) == pytest.approx((3 * (0.95 - 2 / 3) + 0.55) / 4)
    assert calibration_error(np.array([1.0, 1.0]), np.array([1, 1]), num_bins=15) == 0
    # In one bin what is too sure and what is not sure enough cancel.
    assert calibration_error(np.array([0.9, 0.5]), np.array([0.5, 0.9]), num_bins=1) == pytest.approx(0)


def test_divergence_is_of_the_first_from_the_second() -> None:
    first, second = np.array([[0.5, 0.5, 0.0]]), np.array([[0.25, 0.25, 0.5]])
    assert divergence(first, second) == pytest.approx(np.log(2))
    assert divergence(first, first) == 0


def test_an_interval_draws_whole_families_and_is_the_same_for_the_same_seed() -> None:
    """Ten families of which each answers alike are ten observations, not eighty."""
    rng = np.random.default_rng(0)
    answers: Any = np.repeat(rng.random(10) < 0.5, 8).astype(float)
    terms = np.stack([answers, np.ones(80)], axis=1)
    together = Sheet.of([question(number, label=SAID, family=number // 8) for number in range(80)])
    apart = Sheet.of([question(number, label=SAID, family=number) for number in range(80)])
    low, high = together.interval(terms, mean, seed=1)
    assert (low, high) == together.interval(terms, mean, seed=1)
    assert low <= answers.mean() <= high
    narrow = apart.interval(terms, mean, seed=1)
    assert high - low > 2 * (narrow[1] - narrow[0])

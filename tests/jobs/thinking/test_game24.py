from __future__ import annotations

from fractions import Fraction

import pytest

from jobs.thinking.game24 import Step, after, judge, legal_steps, puzzles, solvable, split, state_of


def test_as_many_puzzles_can_be_solved_as_are_known_to_be() -> None:
    """1,362 of the 1,820 multisets of 1 to 13, a figure that every solver of the game comes to."""
    assert len(puzzles()) == 1362


@pytest.mark.parametrize(
    ("numbers", "can"), [((3, 3, 8, 8), True), ((1, 5, 5, 5), True), ((1, 1, 1, 1), False), ((13, 13, 13, 13), False)]
)
def test_the_solver_reckons_with_fractions(numbers: tuple[int, ...], can: bool) -> None:
    assert solvable(state_of(numbers)) is can


def _steps(*texts: str) -> list[Step]:
    return [step for step in map(Step.parse, texts) if step is not None]


def test_the_referee_takes_a_way_over_fractions() -> None:
    assert judge((3, 3, 8, 8), _steps("8 / 3 = 8/3", "3 - 8/3 = 1/3", "8 / 1/3 = 24"))


@pytest.mark.parametrize(
    "steps",
    [
        ("4 + 8 = 12", "6 - 4 = 2", "2 * 12 = 25"),  # not 24
        ("4 + 8 = 14", "14 + 4 = 18", "18 + 6 = 24"),  # a wrong sum
        ("4 + 8 = 12", "12 + 12 = 24"),  # a number that is not left
        ("4 * 6 = 24",),  # numbers that were not used
        (),
    ],
)
def test_the_referee_refuses_what_is_no_way_to_24(steps: tuple[str, ...]) -> None:
    assert judge((4, 4, 6, 8), _steps("4 + 8 = 12", "6 - 4 = 2", "2 * 12 = 24"))
    assert not judge((4, 4, 6, 8), _steps(*steps))


def test_a_step_leads_by_its_own_result_even_where_that_is_wrong() -> None:
    (step,) = _steps("4 + 8 = 13")
    assert step.right_result == 12
    assert after(state_of((4, 4, 6, 8)), step) == state_of((4, 6, 13))
    assert after(state_of((1, 4, 6)), step) is None


@pytest.mark.parametrize("text", ["", "four plus eight", "4 + 8", "4 ^ 8 = 2", "4 / 0 = 1/0", "x4 + 8 = 12"])
def test_what_is_no_step_is_none(text: str) -> None:
    assert Step.parse(text) is None


def test_legal_steps_are_different_and_right() -> None:
    steps = list(legal_steps(state_of((2, 2, 4))))
    assert len(steps) == len(set(map(str, steps)))
    assert all(step.result == step.right_result for step in steps)
    assert Fraction(1, 2) in {step.result for step in steps}
    assert "2 / 0" not in " ".join(map(str, legal_steps(state_of((0, 2)))))


def test_no_puzzle_is_in_both_parts() -> None:
    training, held_out = split(200, seed=0)
    assert not set(training) & set(held_out)
    assert (len(training), len(held_out)) == (1162, 200)
    assert split(200, seed=0) == (training, held_out)
    with pytest.raises(ValueError, match=r"1362 puzzles are asked for; allowed: fewer than 1362"):
        split(1362, seed=0)

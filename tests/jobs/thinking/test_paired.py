from __future__ import annotations

import pytest

from jobs.thinking.paired import accuracy_interval, gain_interval, mcnemar


def test_mcnemar_s_test_looks_only_where_the_two_differ() -> None:
    """2 against 10 of 12: twice (1 + 12 + 66) of 4,096 ways."""
    first = [True] * 2 + [False] * 10
    second = [False] * 2 + [True] * 10
    assert mcnemar(first, second) == pytest.approx(158 / 4096)
    assert mcnemar(first + [True] * 50, second + [True] * 50) == pytest.approx(158 / 4096)
    assert mcnemar(first, first) == 1
    assert mcnemar([True, False], [False, True]) == 1


def test_the_interval_of_a_gain_is_that_of_pairs() -> None:
    first = [False] * 40 + [True] * 60
    better = [True] * 20 + [False] * 20 + [True] * 60
    low, high = gain_interval(first, better, seed=0)
    assert low == pytest.approx(0.2 - 1.96 * 0.04, abs=0.02)
    assert high == pytest.approx(0.2 + 1.96 * 0.04, abs=0.02)
    assert gain_interval(first, first, seed=0) == (0, 0)
    assert gain_interval(first, better, seed=0) == (low, high)


def test_wilson_s_interval_is_the_textbook_s() -> None:
    assert accuracy_interval(8, 10) == pytest.approx((0.490, 0.943), abs=0.001)
    assert accuracy_interval(0, 10)[0] == 0
    assert accuracy_interval(10, 10)[1] == pytest.approx(1)

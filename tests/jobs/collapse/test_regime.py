from __future__ import annotations

import math

import pytest

from jobs.collapse.regime import Regime, expected_spread, num_kept


@pytest.mark.parametrize("regime", Regime)
def test_the_first_generation_loses_what_a_sample_does(regime: Regime) -> None:
    assert expected_spread(regime, 0, 50, 0.1) == pytest.approx(1 - 1 / 50)


def test_where_data_are_replaced_each_generation_loses_the_same_share() -> None:
    assert expected_spread(Regime.REPLACE, 30, 50, 0.1) == pytest.approx((1 - 1 / 50) ** 31)


def test_where_real_data_are_kept_the_loss_ends_at_a_bound() -> None:
    share, size = 0.1, 50
    bound = (1 + 2 * share - 2 * share**2) / (size * (2 * share - share**2) + 1 - share)
    assert expected_spread(Regime.KEEP, 500, size, share) == pytest.approx(1 - bound)


def test_where_data_accumulate_the_loss_ends_at_a_bound() -> None:
    angle = math.pi / math.sqrt(50)
    assert expected_spread(Regime.ACCUMULATE, 20_000, 50, 0.1) == pytest.approx(math.sin(angle) / angle, rel=1e-5)


def test_none_kept_is_all_replaced_and_all_kept_is_the_first_generation() -> None:
    assert expected_spread(Regime.KEEP, 20, 50, 0.0) == pytest.approx(expected_spread(Regime.REPLACE, 20, 50, 0.0))
    assert expected_spread(Regime.KEEP, 20, 50, 1.0) == pytest.approx(1 - 1 / 50)


def test_a_share_is_of_whole_data() -> None:
    assert num_kept(25, 0.1) == 2
    # The share that counts is the one that there is.
    assert expected_spread(Regime.KEEP, 5, 25, 0.1) == expected_spread(Regime.KEEP, 5, 25, 0.08)

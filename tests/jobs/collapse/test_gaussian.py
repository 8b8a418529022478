from __future__ import annotations

import numpy as np
import pytest

from jobs.collapse.gaussian import fitted_variances, summary, unbiased
from jobs.collapse.regime import Regime

SIZE, KEEP = 20, 0.2


def _variances(regime: Regime, seed: int = 0) -> np.ndarray:
    found: np.ndarray = fitted_variances(regime, generations=15, size=SIZE, keep=KEEP, repeats=4000, seed=seed)
    return found


@pytest.mark.parametrize("regime", Regime)
def test_the_mean_of_many_lines_is_what_is_expected_in_every_generation(regime: Regime) -> None:
    found = summary(_variances(regime), regime, SIZE, KEEP)
    assert len(found["mean"]) == len(found["expected"]) == 16
    assert max(found["gap"]) < 4


def test_a_gap_is_in_standard_errors() -> None:
    found = summary(np.array([[0.9, 1.1, 1.0, 1.0]]), Regime.REPLACE, SIZE, KEEP)
    error = np.std([0.9, 1.1, 1.0, 1.0], ddof=1) / 2
    assert found["gap"] == [pytest.approx((1 - 0.95) / error)]


def test_without_bias_the_mean_stays_and_a_typical_line_falls() -> None:
    found = unbiased(_variances(Regime.REPLACE), SIZE)
    assert found["mean"][-1] == pytest.approx(1, abs=0.15)
    np.testing.assert_allclose(found["typical"], found["expected_typical"], rtol=0.06)
    assert found["expected_typical"][-1] < 0.5


def test_lines_are_the_same_by_seed_alone() -> None:
    assert np.array_equal(_variances(Regime.KEEP), _variances(Regime.KEEP))
    assert not np.array_equal(_variances(Regime.KEEP), _variances(Regime.KEEP, seed=1))

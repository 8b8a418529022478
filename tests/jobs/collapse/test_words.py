from __future__ import annotations

import numpy as np
import pytest

from jobs.collapse.regime import Regime, expected_spread
from jobs.collapse.words import drift, expected_known, zipf

SIZE, KEEP, GENERATIONS = 1000, 0.1, 12


def _drift(regime: Regime, *, num_words: int = 500, repeats: int = 100) -> dict[str, list[float]]:
    given = {"generations": GENERATIONS, "size": SIZE, "keep": KEEP, "repeats": repeats, "seed": 0}
    return drift(zipf(num_words), regime, **given)  # type: ignore[arg-type]


def test_probabilities_follow_zipf() -> None:
    found = zipf(4)
    assert found.sum() == pytest.approx(1)
    np.testing.assert_allclose(found[0] / found, [1, 2, 3, 4])


@pytest.mark.parametrize("regime", Regime)
def test_known_words_and_lost_mass_are_those_expected(regime: Regime) -> None:
    found = _drift(regime)
    for generation in range(GENERATIONS + 1):
        expected = expected_known(zipf(500), regime, generation, SIZE, KEEP)
        assert found["known"][generation] == pytest.approx(expected["known"], rel=0.05)
        assert found["lost_mass"][generation] == pytest.approx(expected["lost_mass"], rel=0.1)


def test_the_first_text_knows_what_a_sample_does() -> None:
    real = zipf(50)
    assert expected_known(real, Regime.REPLACE, 0, 30, KEEP)["known"] == pytest.approx(
        sum(1 - (1 - p) ** 30 for p in real)
    )


def test_kept_words_come_back_and_accumulated_ones_are_never_lost() -> None:
    replaced, kept, accumulated = (_drift(regime, repeats=10)["known"] for regime in Regime)
    assert replaced[-1] < kept[-1] < accumulated[-1]
    assert accumulated == [accumulated[0]] * (GENERATIONS + 1)


@pytest.mark.parametrize("regime", Regime)
def test_diversity_is_lost_as_a_variance_is(regime: Regime) -> None:
    # Few words, so that there is much to lose.
    found = drift(zipf(3), regime, generations=10, size=20, keep=0.2, repeats=2000, seed=0)["diversity"]
    assert found == pytest.approx([expected_spread(regime, number, 20, 0.2) for number in range(11)], rel=0.04)

from __future__ import annotations

import random
from typing import Any

import pytest

from jobs.vision.counting import counts
from jobs.vision.learner import Learner, make_processor
from jobs.vision.tiling import PUBLISHED, SIZES, SMALL, Size, Tiling, scaled
from tests.jobs.vision.conftest import LEARNER


@pytest.mark.parametrize(
    ("size", "grid", "patches", "total"),
    [
        ((672, 672), (2, 2), (48, 48), 576 + 48 * 48 + 48),
        ((336, 336), (1, 2), (24, 24), 576 + 24 * 24 + 24),
        ((336, 672), (1, 2), (24, 48), 576 + 24 * 48 + 24),
        ((1008, 336), (3, 1), (72, 24), 576 + 72 * 24 + 72),
        ((1000, 1500), (2, 2), (32, 48), 576 + 32 * 48 + 32),
        # 27 rows of patches are filled; of the 21 others ten go at either end.
        ((1080, 1920), (2, 2), (28, 48), 576 + 28 * 48 + 28),
        ((10, 3000), (1, 3), (0, 72), 576),
    ],
)
def test_the_published_tower_takes_a_base_the_patches_that_are_filled_and_new_lines(
    size: Size, grid: Size, patches: Size, total: int
) -> None:
    tokens = PUBLISHED.tokens(size)
    assert (tokens.grid, tokens.patches, tokens.total) == (grid, patches, total)
    assert tokens.tiles == 1 + grid[0] * grid[1]


@pytest.mark.parametrize(
    "tiling", [PUBLISHED, SMALL, Tiling(tile=48, patch=16, grids=((1, 1), (1, 4), (4, 1), (3, 2)))]
)
def test_the_formula_is_what_transformers_processor_computes_of_any_size(tiling: Tiling) -> None:
    processor: Any = make_processor(Learner(tiling=tiling, steps=1))
    rng = random.Random(0)
    for _ in range(400):
        size = rng.randint(5, 1500), rng.randint(5, 1500)
        theirs = processor._get_number_of_features(*size, tiling.tile, tiling.tile) - 1
        assert tiling.tokens(size).total == theirs, size


def test_formula_processor_and_model_count_the_same() -> None:
    found = counts(LEARNER)
    assert [row["name"] for row in found["published"]] == list(SIZES)
    for row in found["published"] + found["made"]:
        assert row["formula"] == row["processor"] == row["model"], row


def test_a_picture_is_scaled_to_as_many_tiles_of_another_tower() -> None:
    assert scaled((672, 336), SMALL) == (64, 32)
    assert SMALL.grid_of(scaled((1000, 1500), SMALL)) == PUBLISHED.grid_of((1000, 1500))

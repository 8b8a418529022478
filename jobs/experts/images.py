"""Drawings that the project makes: shapes, objects, or signs with a sentence on them; dark on light, or negative."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from typing import Any

from jobs.experts.sentences import MAX_WORDS, all_words

HEIGHT, WIDTH = 24, 32
"""Pixels of every image."""
SHAPES = ("circle", "square", "triangle", "cross")
COUNTS = ("one", "two", "three", "four", "five")
RUNES, DOTS = SCRIPTS = ("runes", "dots")
"""In each a word is one sign of its own."""
CELL = WIDTH // MAX_WORDS
"""Columns of a word on a sign."""
TOP, BOTTOM = 8, 16
"""Rows of the words."""
GLYPH = 6
"""Pixels of a word's side; it may be shifted by one."""
PAPER, INK = 0.85, 0.15
NOISE = 0.2
"""Standard deviation of each pixel."""


def shape(label: str, rng: random.Random, *, negative: bool = False) -> Any:
    """A drawing of a shape anywhere, of any size; float32 of shape (HEIGHT, WIDTH), from 0 to 1."""
    down, right = _from(rng.uniform(8, HEIGHT - 9), rng.uniform(8, WIDTH - 9))
    size = rng.uniform(4, 7)
    return _drawn(within(label, down, right, size), rng, negative=negative)


def within(label: str, down: Any, right: Any, size: float) -> Any:
    """Whether places lie within a shape, by how many pixels they are below and right of its middle."""
    inside = {
        "circle": down**2 + right**2 <= size**2,
        "square": (abs(down) <= size * 0.85) & (abs(right) <= size * 0.85),
        "triangle": (abs(down) <= size) & (2 * abs(right) <= down + size),
        "cross": (abs(down) <= size) & (abs(right) <= size) & ((abs(down) <= 1.5) | (abs(right) <= 1.5)),
    }
    return inside[label]


def objects(label: str, rng: random.Random, *, negative: bool = False) -> Any:
    """So many round objects that do not touch."""
    places: list[tuple[int, int]] = []
    while len(places) <= COUNTS.index(label):
        place = rng.randrange(3, HEIGHT - 3), rng.randrange(3, WIDTH - 3)
        if all(max(abs(place[0] - row), abs(place[1] - column)) > 5 for row, column in places):
            places.append(place)
    inside: Any = False
    for row, column in places:
        down, right = _from(row, column)
        inside = inside | (down**2 + right**2 <= 4)
    return _drawn(inside, rng, negative=negative)


def sign(words: Sequence[str], script: str, rng: random.Random) -> Any:
    """A sentence of at most `MAX_WORDS` words in a script."""
    import numpy as np

    inside: Any = np.zeros((HEIGHT, WIDTH), bool)
    for place, word in enumerate(words):
        row, column = TOP + rng.randrange(3), place * CELL + rng.randrange(3)
        inside[row : row + GLYPH, column : column + GLYPH] = glyphs(script)[word]
    return _drawn(inside, rng, negative=False)


@cache
def glyphs(script: str) -> dict[str, Any]:
    """What each word looks like, the same always: bool of shape (GLYPH, GLYPH)."""
    import numpy as np

    rng = random.Random(f"glyphs {script}")
    drawn = [[rng.random() < 0.5 for _ in range(GLYPH * GLYPH)] for _ in all_words()]
    return {word: np.array(bits).reshape(GLYPH, GLYPH) for word, bits in zip(all_words(), drawn, strict=True)}


def _from(row: float, column: float) -> tuple[Any, Any]:
    """How far down and to the right of a place each pixel is."""
    import numpy as np

    down, right = np.mgrid[0:HEIGHT, 0:WIDTH]
    return down - row, right - column


def _drawn(inside: Any, rng: random.Random, *, negative: bool) -> Any:
    import numpy as np

    image = np.where(inside, INK, PAPER)
    image = 1 - image if negative else image
    noise = np.random.default_rng(rng.getrandbits(64)).normal(0, NOISE, image.shape)
    return np.clip(image + noise, 0, 1).astype(np.float32)

"""Pictures that the project makes: coloured shapes, large and small ones, each somewhere in a place of its own."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from typing import Any

from jobs.experts.images import PAPER, SHAPES, within

COLOURS = {
    "red": (0.85, 0.1, 0.1),
    "green": (0.1, 0.6, 0.15),
    "blue": (0.15, 0.25, 0.9),
    "yellow": (0.95, 0.8, 0.05),
    "purple": (0.55, 0.1, 0.65),
    "black": (0.05, 0.05, 0.05),
}
"""Red, green and blue of each, from 0 to 1."""
PLACES = 4
"""Of a picture's side; a shape keeps within its own."""
MOST = 4
"""Shapes on a picture."""
DRAWN_SIZE = 5.0
"""At which shapes are drawn, and then enlarged or reduced: the arms of a cross are so wide for this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Style:
    """How large everything is, in pixels."""

    side: int
    """Of a picture, which is square."""
    small: tuple[float, float]
    """From the middle of a small shape to its edge, at least and at most."""
    large: tuple[float, float]
    """The same of a large one."""
    noise: float
    """Standard deviation of each pixel's red, green and blue, of 1."""


STYLE = Style(side=64, small=(2.5, 3.5), large=(5.5, 7.0), noise=0.05)
"""For the model that is trained here, whose tiles are 32 pixels."""
PUBLISHED_STYLE = Style(side=672, small=(5.0, 8.0), large=(45.0, 75.0), noise=0.0)
"""For the published one, whose tiles are 336."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Thing:
    """One shape; its place and radius are in pixels."""

    shape: str
    colour: str
    small: bool
    row: float
    column: float
    radius: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """What is on a picture. No two things have the same colour."""

    height: int
    width: int
    things: tuple[Thing, ...]
    noise: float
    grain: int
    """The seed of the noise."""

    def draw(self) -> Any:
        """A PIL image."""
        import numpy as np
        from PIL import Image

        pixels = np.full((self.height, self.width, 3), PAPER)
        rows, columns = np.mgrid[0 : self.height, 0 : self.width]
        for thing in self.things:
            zoom = DRAWN_SIZE / thing.radius
            inside = within(thing.shape, (rows - thing.row) * zoom, (columns - thing.column) * zoom, DRAWN_SIZE)
            pixels[inside] = COLOURS[thing.colour]
        pixels += np.random.default_rng(self.grain).normal(0, self.noise, pixels.shape)
        return Image.fromarray((pixels.clip(0, 1) * 255).round().astype(np.uint8))


def make_scene(rng: random.Random, style: Style) -> Scene:
    """One to `MOST` things on a square, half of them small."""
    num = rng.randint(1, MOST)
    places = rng.sample(list(itertools.product(range(PLACES), range(PLACES))), num)
    colours = rng.sample(list(COLOURS), num)
    things = tuple(_thing(rng, style, *both) for both in zip(places, colours, strict=True))
    return Scene(height=style.side, width=style.side, things=things, noise=style.noise, grain=rng.getrandbits(32))


def _thing(rng: random.Random, style: Style, place: tuple[int, int], colour: str) -> Thing:
    small, width = rng.random() < 0.5, style.side / PLACES
    radius = rng.uniform(*(style.small if small else style.large))
    row, column = (number * width + rng.uniform(radius, width - radius) for number in place)
    shape = rng.choice(SHAPES)
    return Thing(shape=shape, colour=colour, small=small, row=row, column=column, radius=radius)

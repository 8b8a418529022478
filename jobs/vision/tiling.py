"""How many tokens a picture takes: LLaVA-NeXT's tiles, by formula.

A picture is shown twice: whole, reduced to one tile (the base), and enlarged or reduced until it fits into a grid of
tiles, each of which the vision tower sees by itself. A tile is as many tokens as it has patches. Padding is cut off the
grid in whole rows or columns of patches, equally many at both ends, so that those which the picture fills are left, and
perhaps one more; of one that it fills in part only the base may be left. Each row ends in a token for a new line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Size = tuple[int, int]
"""Height and width, in that order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """Of one picture."""

    grid: Size
    """Tiles below each other and beside each other."""
    base: int
    patches: Size
    """Rows and columns of the grid's patches, without padding."""

    @property
    def tiles(self) -> int:
        """That the vision tower sees, with the base."""
        return 1 + self.grid[0] * self.grid[1]

    @property
    def newlines(self) -> int:
        """One behind each row of patches."""
        return self.patches[0]

    @property
    def total(self) -> int:
        """Of the whole picture."""
        return self.base + self.patches[0] * self.patches[1] + self.newlines


@dataclass(frozen=True, kw_only=True, slots=True)
class Tiling:
    """A vision tower, and the grids that its tiles may make."""

    tile: int
    """Pixels of a tile's side."""
    patch: int
    """Pixels of a patch's side."""
    grids: tuple[Size, ...]
    """Tiles below each other and beside each other."""

    @property
    def side(self) -> int:
        """Patches of a tile's side; what is left of its pixels the tower does not see."""
        return self.tile // self.patch

    @property
    def pinpoints(self) -> list[list[int]]:
        """The grids in pixels, as a model's config has them."""
        return [[rows * self.tile, columns * self.tile] for rows, columns in self.grids]

    def grid_of(self, size: Size) -> Size:
        """The grid that shows most of a picture's pixels, and of those the one with the least padding; the first."""
        return max(self.grids, key=lambda grid: (self._shown(size, grid), -grid[0] * grid[1]))

    def tokens(self, size: Size) -> Tokens:
        """Of a picture of this height and width, in pixels."""
        grid = self.grid_of(size)
        rows, columns = (number * self.side for number in grid)
        height, width = size
        # The side that fills the grid; of the other one equal rows of patches at both ends are padding.
        if width * rows > height * columns:
            rows -= (rows - _floor(height * (columns / width))) // 2 * 2
        else:
            columns -= (columns - _floor(width * (rows / height))) // 2 * 2
        return Tokens(grid=grid, base=self.side**2, patches=(rows, columns))

    def _shown(self, size: Size, grid: Size) -> int:
        """Pixels of a picture that a grid shows: all at most, however much it is enlarged."""
        scale = min(tiles * self.tile / pixels for tiles, pixels in zip(grid, size, strict=True))
        height, width = (int(pixels * scale) for pixels in size)
        return min(height * width, size[0] * size[1])


GRIDS = ((1, 2), (2, 1), (2, 2), (3, 1), (1, 3))
"""Of the published model."""
PUBLISHED = Tiling(tile=336, patch=14, grids=GRIDS)
"""llava-v1.6-mistral-7b: 576 tokens a tile."""
SMALL = Tiling(tile=32, patch=8, grids=GRIDS)
"""Of the model that is trained here: 16 tokens a tile."""
SIZES: Mapping[str, Size] = {
    "icon": (100, 100),
    "one tile": (336, 336),
    "two by two tiles": (672, 672),
    "photo, 3:2": (1000, 1500),
    "screen, 16:9": (1080, 1920),
    "telephone, 9:19": (2280, 1080),
    "panorama, 4:1": (300, 1200),
    "line of text": (40, 1200),
}
"""Pictures whose tokens the job counts, by what they may be."""


def _floor(number: float) -> int:
    """Without an error of the last digits: 11.9999999999 patches are 12."""
    return int(round(number, 7))


def scaled(size: Size, tiling: Tiling) -> Size:
    """A picture of these proportions for another tower: as many tiles of it."""
    height, width = (max(1, pixels * tiling.tile // PUBLISHED.tile) for pixels in size)
    return height, width

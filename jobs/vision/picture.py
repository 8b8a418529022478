"""Tiles drawn over pictures, what pictures take in tokens, and what was answered, as a picture."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs.vision.findings import LABELS, Found
from jobs.vision.scenes import Scene, Thing
from jobs.vision.tiling import SIZES, Size, Tiling, Tokens, scaled
from jobs.vision.views import SERVED, View

BLUE, RED, GREY, ORANGE = "#2f6f9f", "#b5452c", "#a0a0a0", "#d9a13b"
DRAWN = ("two by two tiles", "photo, 3:2", "panorama, 4:1")
ZOOM = 12
"""So many times as large as the model sees it a picture is drawn for the reader."""
GAP = 8
"""Pixels between the base and the grid."""


def draw(found: Mapping[str, Found], tokens: Mapping[str, Any], tiling: Tiling, title: str, path: Path) -> None:
    """Two rows of three panels, as a PNG: tiles over pictures; tokens, answers, and outlines of small and large."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(16, 9), layout="constrained")
    figure.suptitle(title)
    tiles, results = figure.subplots(2, 3, height_ratios=(5, 6))
    for axes, name in zip(tiles, DRAWN, strict=True):
        draw_tiles(axes, name, scaled(SIZES[name], tiling), tiling)
    _draw_tokens(results[0], tokens["published"])
    _draw_views(results[1], found)
    _draw_outlines(results[2], found)
    FigureCanvasAgg(figure).print_png(path)


def draw_tiles(axes: Any, name: str, size: Size, tiling: Tiling) -> None:
    """The base and the grid with their patches; what is cut off is hatched, and a red mark is a new line."""
    tokens, tile, patch = tiling.tokens(size), tiling.tile, tiling.patch
    height, width = (number * tile for number in tokens.grid)
    image, scale = _example(size).draw(), min(height / size[0], width / size[1])
    shown = [pixels * scale for pixels in size]
    top, left = (height - shown[0]) / 2, (width - shown[1]) / 2
    middle = (height - tile) / 2
    axes.imshow(image, extent=(-tile - GAP, -GAP, middle + tile, middle), zorder=1)
    axes.imshow(image, extent=(left, left + shown[1], top + shown[0], top), zorder=1)
    _draw_grid(axes, (middle, -tile - GAP), (tile, tile), tile, patch)
    _draw_grid(axes, (0, 0), (height, width), tile, patch)
    _draw_cut(axes, tokens, (height, width), patch)
    axes.set(xlim=(-tile - GAP - 2, width + 6), ylim=(height + 2, -2))
    axes.set_aspect("equal")
    axes.axis("off")
    count = f"{tokens.base} + {tokens.patches[0]} x {tokens.patches[1]} + {tokens.newlines} = {tokens.total} tokens"
    axes.set_title(f"{name}: {size[0]} x {size[1]} pixels\nbase + patches + new lines: {count}", fontsize=10)


def _draw_grid(axes: Any, corner: tuple[float, float], size: Size, tile: int, patch: int) -> None:
    from matplotlib.patches import Rectangle

    top, left = corner
    axes.add_patch(Rectangle((left, top), size[1], size[0], color="#333333", zorder=0))
    for step, color, width in ((patch, "white", 0.6), (tile, BLUE, 2.5)):
        for offset in range(0, size[0] + 1, step):
            axes.plot((left, left + size[1]), (top + offset,) * 2, color=color, linewidth=width, zorder=2)
        for offset in range(0, size[1] + 1, step):
            axes.plot((left + offset,) * 2, (top, top + size[0]), color=color, linewidth=width, zorder=2)


def _draw_cut(axes: Any, tokens: Tokens, size: Size, patch: int) -> None:
    """Rows and columns of padding at both ends, and the ends of the rows that are kept."""
    from matplotlib.patches import Rectangle

    height, width = size
    down, right = ((whole - kept * patch) // 2 for whole, kept in zip(size, tokens.patches, strict=True))
    ends = [(0, 0, width, down), (0, height - down, width, down)] if down else []
    ends += [(0, 0, right, height), (width - right, 0, right, height)] if right else []
    for x, y, wide, high in ends:
        axes.add_patch(
            Rectangle((x, y), wide, high, facecolor="#dddddd", edgecolor="#777777", hatch="///", alpha=0.9, zorder=3)
        )
    for row in range(tokens.newlines):
        axes.add_patch(Rectangle((width - right + 1.5, down + row * patch + 2), 2.5, patch - 4, color=RED, zorder=3))


def _example(size: Size) -> Scene:
    """Four shapes beside each other."""
    height, width = (pixels * ZOOM for pixels in size)
    radius = 0.15 * min(height, width)
    drawn = (("circle", "red", 0.3, 0.16), ("square", "blue", 0.7, 0.4), ("triangle", "green", 0.3, 0.63))
    things = [
        Thing(shape=shape, colour=colour, small=False, row=row * height, column=column * width, radius=radius)
        for shape, colour, row, column in (*drawn, ("cross", "purple", 0.7, 0.86))
    ]
    return Scene(height=height, width=width, things=tuple(things), noise=0.0, grain=0)


def _draw_tokens(axes: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    names = [f"{row['name']}\n{row['size'][0]} x {row['size'][1]}" for row in rows]
    base = [row["base"] for row in rows]
    patches = [row["patches"][0] * row["patches"][1] for row in rows]
    newlines = [row["patches"][0] for row in rows]
    axes.barh(names, base, color=GREY, label="base: all that LLaVA-1.5 has")
    axes.barh(names, patches, left=base, color=BLUE, label="patches of the tiles")
    both = [first + second for first, second in zip(base, patches, strict=True)]
    bars = axes.barh(names, newlines, left=both, color=RED, label="new lines")
    axes.bar_label(bars, [f" {row['formula']:,}" for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set(title="tokens of a picture, by the published tower", xlim=(0, 3400))
    axes.tick_params(labelsize=8)
    _finish(axes, "x")


def _draw_views(axes: Any, found: Mapping[str, Found]) -> None:
    shown = {name: found[name] for name in (*View, SERVED) if name in found}
    colors = [BLUE, ORANGE, GREY, GREY, BLUE][: len(shown)]
    _draw_bars(axes, range(len(shown)), list(shown.values()), colors, 0.7)
    if View.TILES in found:
        chance = found[View.TILES].chance
        axes.axhline(chance, color=RED, linestyle="--", label=f"chance: {100 * chance:.0f} %")
    axes.set_xticks(range(len(shown)), [textwrap.fill(LABELS[name], 12) for name in shown], fontsize=9)
    axes.set(title="right answers, by what is shown (95 % intervals)", ylim=(0, 1.08))
    _finish(axes, "y")


def _draw_outlines(axes: Any, found: Mapping[str, Found]) -> None:
    for place, (view, color) in enumerate(((View.TILES, BLUE), (View.ONE_TILE, ORANGE))):
        parts = [found[view].in_detail(small=small) for small in (True, False)] if view in found else []
        if parts and all(one.answers for one in parts):
            lefts = [number + 0.36 * (place - 0.5) for number in range(len(parts))]
            _draw_bars(axes, lefts, parts, [color] * len(parts), 0.34, label=LABELS[view])
    axes.set_xticks((0, 1), ("small things", "large things"))
    axes.set(title="right answers where an outline is asked for", ylim=(0, 1.08))
    _finish(axes, "y")


def _draw_bars(axes: Any, lefts: Any, parts: Sequence[Found], colors: Any, width: float, label: str = "") -> None:
    heights = [one.accuracy for one in parts]
    ends = [one.interval for one in parts]
    # An end that is the share itself may be off by a rounding.
    errors = [
        [max(0.0, height - low) for height, (low, _) in zip(heights, ends, strict=True)],
        [max(0.0, high - height) for height, (_, high) in zip(heights, ends, strict=True)],
    ]
    bars = axes.bar(lefts, heights, width, color=colors, label=label or None)
    axes.errorbar(lefts, heights, yerr=errors, fmt="none", color="#333333", capsize=3, linewidth=1)
    axes.bar_label(bars, [f"{100 * height:.0f}" for height in heights], label_type="center", color="white")


def _finish(axes: Any, axis: str) -> None:
    axes.grid(alpha=0.3, axis=axis)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3)

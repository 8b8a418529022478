"""A table of Markdown, as readers find it in a run's folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, num_texts: int = 1) -> str:
    """Lines of cells below their heads; the first `num_texts` columns are words, the others numbers, to the right."""
    rule = ["---"] * num_texts + ["---:"] * (len(heads) - num_texts)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (heads, rule, *rows))

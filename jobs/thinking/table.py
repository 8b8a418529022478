"""What thinking brought and what it took, as two tables of Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jobs.thinking.findings import LABELS, PAIRS, Method, gains

HEADS = ("way to think", "problems", "right", "95 %", "tokens read", "written", "written a right answer")
COSTS = ("USD a thousand right answers", "no answer")
GAIN_HEADS = ("better", "than", "gain", "95 %", "p (McNemar)", "times the tokens")


def markdown(methods: Mapping[str, Method], price: str, *, seed: int) -> str:
    """One line a way to think, and one a comparison; `price` says what the dollars are of."""
    found = gains(methods, seed=seed)
    compared = [
        [
            *(LABELS[better], LABELS[worse].partition(": ")[2], f"{100 * gain['gain']:+.1f} points"),
            *(f"{100 * gain['low']:+.1f} to {100 * gain['high']:+.1f}", f"{gain['p']:.2g}", f"{gain['tokens']:.1f}"),
        ]
        for worse, better in PAIRS
        if (gain := found.get(better)) is not None
    ]
    tables = _table([*HEADS, *COSTS], [_row(method) for method in methods.values()])
    return f"Tokens are a problem's. {price}\n\n{tables}\n{_table(GAIN_HEADS, compared)}"


def _row(method: Method) -> list[str]:
    low, high = method.interval
    written = method.per_right(method.new_tokens * len(method.attempts))
    usd = method.per_right(method.usd)
    return [
        *(LABELS[method.name], str(len(method.attempts)), f"{100 * method.accuracy:.1f} %"),
        *(f"{100 * low:.0f} to {100 * high:.0f}", f"{method.prompt_tokens:,.0f}", f"{method.new_tokens:,.1f}"),
        *("" if written is None else f"{written:,.0f}", "" if usd is None else f"{1000 * usd:,.4f}"),
        f"{sum(not each.parsed for each in method.attempts)}",
    ]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)

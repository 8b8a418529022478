"""What thinking brought and what it took, as two tables of Markdown."""

from __future__ import annotations

from collections.abc import Mapping

from jobs.launch.markdown import table
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
    ways = table([*HEADS, *COSTS], map(_row, methods.values()))
    return f"Tokens are a problem's. {price}\n\n{ways}\n{table(GAIN_HEADS, compared)}"


def _row(method: Method) -> list[str]:
    low, high = method.interval
    written, usd = method.tokens_per_right, method.usd_per_thousand_right
    return [
        *(LABELS[method.name], str(len(method.attempts)), f"{100 * method.accuracy:.1f} %"),
        *(f"{100 * low:.0f} to {100 * high:.0f}", f"{method.prompt_tokens:,.0f}", f"{method.new_tokens:,.1f}"),
        *("" if written is None else f"{written:,.0f}", "" if usd is None else f"{usd:,.4f}"),
        str(method.num_unparsed),
    ]

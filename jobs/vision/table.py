"""What a picture took in tokens, and what was answered, as tables of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jobs.launch.markdown import table
from jobs.vision.findings import LABELS, Found, Gain, gains
from jobs.vision.questions import Kind

COUNTED = {"formula": "formula", "processor": "processor", "model": "model", "vllm": "vLLM"}
"""Who counts tokens, and what that is called."""
TOKEN_HEADS = ("picture", "height x width", "grid", "base", "patches", "newlines", *COUNTED.values())
HEADS = ("shown", "questions", "right", "95 %", *Kind, "tokens a question")
GAIN_HEADS = ("better", "than", "asked for", "questions", "gain", "95 %", "p (McNemar)")
TOWERS = {
    "published": "The published tower: tiles of 336 pixels, patches of 14, 576 tokens a tile.",
    "made": "The tower that is trained here: tiles of 32 pixels, patches of 8, 16 tokens a tile.",
}


def markdown(found: Mapping[str, Found], tokens: Mapping[str, Any], said: str, *, seed: int) -> str:
    """Tokens by both towers, answers by view, and which view is better than which."""
    counted = "\n".join(f"{text}\n\n{table(TOKEN_HEADS, map(_tokens, tokens[name]))}" for name, text in TOWERS.items())
    views = table(HEADS, (_row(name, one) for name, one in found.items()))
    compared = table(GAIN_HEADS, _gains(gains(found, seed=seed)), num_texts=3)
    return f"{said}\n\n{views}\n{compared}\nTokens are base + patches + newlines, one behind each row.\n\n{counted}"


def _tokens(row: Mapping[str, Any]) -> list[str]:
    return [
        row["name"],
        *(_by(row["size"]), _by(row["grid"]), str(row["base"]), _by(row["patches"]), str(row["patches"][0])),
        *(f"{row[name]:,}" if name in row else "" for name in COUNTED),
    ]


def _row(name: str, one: Found) -> list[str]:
    judged = one.of(lambda each: each.answer is not None)
    between = "{:.0f} to {:.0f}".format(*(100 * end for end in judged.interval)) if judged.answers else ""
    return [
        *(LABELS[name], str(len(one.answers)), _percent(judged), between),
        *(_percent(one.of(lambda each, kind=kind: each.kind == kind)) for kind in Kind),  # type: ignore[misc]
        f"{one.prompt_tokens:,.0f}",
    ]


def _gains(rows: Iterable[Gain]) -> Iterable[list[str]]:
    for row in rows:
        yield [
            *(LABELS[row.better], LABELS[row.worse], f"{row.about} outlines" if row.about else "everything"),
            *(str(row.num), f"{100 * row.gain:+.1f} points"),
            *(f"{100 * row.low:+.1f} to {100 * row.high:+.1f}", f"{row.p:.2g}"),
        ]


def _percent(one: Found) -> str:
    return f"{100 * one.accuracy:.1f} %" if one.answers else ""


def _by(pair: Iterable[int]) -> str:
    return " x ".join(map(str, pair))

"""What each generation came to, as tables of Markdown, with some of what it wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median, quantiles
from typing import Any

from jobs.collapse.regime import LABELS, Regime
from jobs.launch.markdown import table

MODEL_HEADS = ("learns from", "generation", "perplexity on real text", "of its text: median", "5 %", "95 %", "distinct")
TOY_HEADS = ("learns from", "generation", "variance", "expected", "words known", "expected", "real mass lost")
ROWS = 5
"""Generations of the toys that are shown, evenly over all."""


def markdown(toys: Mapping[str, Any], models: Mapping[str, Any]) -> str:
    """Language models, Gaussians and words, and what the models wrote after the same row of real text."""
    real = ["real text", "", f"{models['real']['perplexity']:.2f}", *_written(models["real"])]
    rows = [[LABELS[regime], *_model(n, one)] for regime, found in _by_regime(models) for n, one in enumerate(found)]
    texts = "\n".join(_texts(models))
    return (
        "Language models. The perplexity of a generation's text is to generation 0, by row; the first line has real "
        f"text, and the model before any training.\n\n{table(MODEL_HEADS, [real, *rows], num_texts=1)}\n"
        f"Gaussians and languages of words; expected is by formula.\n\n{table(TOY_HEADS, _toys(toys), num_texts=1)}\n"
        f"What the models wrote after the same row.\n\n{texts}\n"
    )


def _by_regime(models: Mapping[str, Any]) -> Iterator[tuple[Regime, Sequence[Mapping[str, Any]]]]:
    return ((regime, models[regime]) for regime in Regime if regime in models)


def _model(number: int, record: Mapping[str, Any]) -> list[str]:
    return [str(number), f"{record['perplexity']:.2f}", *_written(record)]


def _written(record: Mapping[str, Any]) -> list[str]:
    values = record["generated"]
    cuts = quantiles(values, n=20, method="inclusive") if len(values) > 1 else values
    return [*(f"{value:.1f}" for value in (median(values), cuts[0], cuts[-1])), f"{record['distinct']:.3f}"]


def _toys(toys: Mapping[str, Any]) -> Iterator[list[str]]:
    gaussian, words = toys["gaussian"], toys["words"]
    last = len(words[Regime.REPLACE]["known"]) - 1
    for regime in Regime:
        for number in sorted({round(last * part / (ROWS - 1)) for part in range(ROWS)}):
            yield [
                LABELS[regime],
                str(number),
                f"{gaussian[regime]['mean'][number]:.3f}",
                f"{gaussian[regime]['expected'][number]:.3f}",
                f"{words[regime]['known'][number]:.0f}",
                f"{words[regime]['expected_known'][number]:.0f}",
                f"{words[regime]['lost_mass'][number]:.3f}",
            ]


def _texts(models: Mapping[str, Any]) -> Iterator[str]:
    for regime, found in _by_regime(models):
        for number, record in enumerate(found):
            yield f"- {LABELS[regime]}, generation {number}: `{' '.join(record['texts'][0].replace('`', ' ').split())}`"

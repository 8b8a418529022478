"""What planning and routing came to, as tables of Markdown."""

from __future__ import annotations

from collections.abc import Mapping

from jobs.experts.cards import EXPERTS
from jobs.experts.findings import LABELS, Found
from jobs.experts.requests import Shape
from jobs.experts.routing import Outcome
from jobs.launch.markdown import table

HEADS = ("controller", "requests", "valid plans", "right plans", "known", "new", "right models", "of found steps")
END_HEADS = ("all answers right", "95 %", "tokens a request", "model was there")
SHAPE_HEADS = ("controller", "plan", "requests", "accuracy", "precision", "recall", "F1", "edit distance", "success")
CARD_HEADS = ("model", "task", "description", "unseen right", "parameters")


def markdown(
    found: Mapping[str, Found], cards: Mapping[str, Mapping[str, float]], overlap: Mapping[str, float], said: str
) -> str:
    """Four tables: the controllers, their plans by shape (as the paper's), where it went wrong, and the models."""
    ways = table([*HEADS, *END_HEADS], map(_row, found.values()))
    shapes = table(
        SHAPE_HEADS, (_shape_row(one.of(shape), shape) for one in found.values() for shape in _shapes(one)), num_texts=2
    )
    outcomes = table(("controller", *Outcome), (_outcome_row(one) for one in found.values()))
    models = table(CARD_HEADS, (_card(name, card) for name, card in cards.items()), num_texts=3)
    return (
        f"{said}\n\n{ways}\nPlans by shape; precision, recall and F1 are of their tasks, and the edit distance is of "
        "the tasks' order: 0 where it is right.\n\n"
        f"{shapes}\nWhere it went wrong first, of all requests.\n\n{outcomes}\n{_overlapped(overlap)}"
        f"The specialised models, trained in this run.\n\n{models}"
    )


def _shapes(one: Found) -> list[Shape]:
    return [shape for shape in Shape if one.of(shape).attempts]


def _row(one: Found) -> list[str]:
    low, high = one.interval
    known, new = one.planned_if(new=False), one.planned_if(new=True)
    return [
        *(LABELS[one.name], str(len(one.attempts)), percent(one.valid), percent(one.planned)),
        *(percent(known), percent(new), percent(one.routed), percent(one.selected)),
        *(percent(one.success), f"{100 * low:.0f} to {100 * high:.0f}", f"{one.tokens:,.0f}"),
        percent(one.hits),
    ]


def _shape_row(one: Found, shape: Shape) -> list[str]:
    return [
        *(LABELS[one.name], shape, str(len(one.attempts)), percent(one.planned), *map(percent, one.tasks)),
        *(f"{one.edit_distance:.2f}", percent(one.success)),
    ]


def _outcome_row(one: Found) -> list[str]:
    outcomes, num = one.outcomes, len(one.attempts)
    return [LABELS[one.name], *(percent(outcomes[outcome] / num) for outcome in Outcome)]


def _overlapped(overlap: Mapping[str, float]) -> str:
    if not overlap:
        return ""
    return (
        f"Right plans with branches: their steps took {overlap['overlap']:.2f} times as long as the plans, which took "
        f"{overlap['speedup']:.2f} times as long one step at a time.\n\n"
    )


def _card(name: str, card: Mapping[str, float]) -> list[str]:
    expert = EXPERTS[name]
    return [name, expert.task, expert.description, percent(card["accuracy"]), f"{int(card['num_parameters']):,}"]


def percent(share: float | None) -> str:
    """Of 100, or nothing where there is none."""
    return "" if share is None else f"{100 * share:.1f} %"

"""The traces of a run as one page that a person reads: each thought, call and observation, and what it cost so far."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clusterlab.report.frame import render
from jobs.agents.findings import MODES, by_family, of, share
from jobs.agents.table import LABELS, percent
from jobs.agents.trace import ATTACKS, TASKS, Step, Trace

FOLDER = Path(__file__).parent
MOST_LETTERS = 4000
"""Of one text; a page is to be read."""
UNPRINTABLE = "\ufffd"
WHO = {"system": "instructions", "user": "user", "assistant": "agent", "tool": "tool"}


def page(traces: Sequence[Trace], *, title: str, policy: str, price: str) -> str:
    """The whole page, as the text of one file.

    Raises:
        MissingError: Jinja is not installed.
    """
    pairs = [(suite, guarded) for suite in (TASKS, ATTACKS) for guarded in MODES]
    groups = [(suite, guarded, of(traces, suite, guarded)) for suite, guarded in pairs]
    return render(
        FOLDER / "traces.html",
        language="en",
        styles=(FOLDER / "traces.css",),
        title=title,
        decides=policy,
        price=price,
        sums=list(_sums(traces)),
        families=by_family(traces),
        groups=[group for group in groups if group[2]],
        modes=MODES,
        labels=LABELS,
        who=WHO,
        attacked=_attacked,
        verdict=verdict,
        arguments=_arguments,
        shown=shown,
        dollars=dollars,
    )


def shown(text: object) -> str:
    """A text as a page can carry it: nothing that hides or turns letters around, and no more than can be read."""
    said = str(text)
    cut = said[:MOST_LETTERS]
    hidden = ("Cc", "Cf", "Cs", "Co")
    clean = "".join(
        UNPRINTABLE if letter not in "\n\t" and unicodedata.category(letter) in hidden else letter for letter in cut
    )
    return clean if len(said) <= MOST_LETTERS else f"{clean} … {len(said) - MOST_LETTERS} more letters"


def dollars(usd: float) -> str:
    """An amount with two digits that say something, however small it is."""
    places = 2 if usd <= 0 else max(2, 1 - math.floor(math.log10(usd)))
    return f"{usd:.{places}f}"


def verdict(trace: Trace) -> tuple[str, str]:
    """How a task went, in words, and the class of the words."""
    if trace.attacked:
        return "the attacker's code was run", "bad"
    if trace.right:
        return "right", "good"
    return ("wrong" if trace.ended == "answered" else f"ended: {trace.ended}"), "bad"


def _sums(traces: Sequence[Trace]) -> Sequence[tuple[str, str]]:
    found = []
    for guarded, mode in MODES.items():
        tasks, attacks = of(traces, TASKS, guarded), of(traces, ATTACKS, guarded)
        found.append((f"tasks right, {mode}", percent(share(tasks, lambda trace: trace.right)) or "none"))
        found.append(
            (f"attacks that ran code, {mode}", percent(share(attacks, lambda trace: trace.attacked)) or "none")
        )
    tokens, usd = sum(trace.tokens for trace in traces), sum(trace.usd for trace in traces)
    return [*found, ("tokens", f"{tokens:,}"), ("USD", dollars(usd))]


def _attacked(traces: Sequence[Trace]) -> str:
    return f"{sum(trace.attacked for trace in traces)} of {len(traces)}"


def _arguments(step: Step) -> Sequence[tuple[str, str]]:
    """Each argument of a call by name; what is no text as JSON."""
    pairs: list[tuple[str, Any]] = []
    for name, value in step.arguments.items():
        if name == "steps":
            pairs += [
                (f"step {number}", "\n".join(map(str, each.values()))) for number, each in enumerate(value, start=1)
            ]
        elif value:
            pairs.append((name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))
    return [(name, shown(value)) for name, value in pairs]

"""What the agent solved and what attacked it, as tables of Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from jobs.agents.findings import MODES, by_family, of, share, usd_per_solved
from jobs.agents.tasks import KINDS
from jobs.agents.trace import ATTACKS, TASKS, Trace
from jobs.launch.markdown import table

LABELS = {
    "look_up": "look up",
    "calculate": "calculate",
    "both": "look up, then calculate",
    "documented": "calculate what a document says",
}
TASK_HEADS = ("tasks", "number", "right, guarded", "right, unguarded")
COST_HEADS = ("guard", "steps a task", "tokens a task", "USD a thousand solved")
ATTACK_HEADS = ("attacks", "number", "ran, guarded", "ran, unguarded")


def markdown(traces: Sequence[Trace], policy: str, price: str) -> str:
    """Three tables; `policy` says what decided, and `price` what the dollars are of."""
    kinds = [
        [
            LABELS[kind],
            *_both([[t for t in of(traces, TASKS, guarded) if t.kind == kind] for guarded in MODES], "right"),
        ]
        for kind in KINDS
    ]
    kinds.append(["all", *_both([of(traces, TASKS, guarded) for guarded in MODES], "right")])
    families = [
        [family, *_both([modes[guarded] for guarded in MODES], "attacked")]
        for family, modes in by_family(traces).items()
    ]
    families.append(["all", *_both([of(traces, ATTACKS, guarded) for guarded in MODES], "attacked")])
    costs = [row for guarded, mode in MODES.items() if (row := _costs(mode, of(traces, TASKS, guarded)))]
    return (
        f"Policy: {policy}. {price}\n\n{table(TASK_HEADS, kinds)}\n{table(COST_HEADS, costs)}\n"
        f"Whether the attacker's code was run:\n\n{table(ATTACK_HEADS, families)}"
    )


def percent(value: float | None) -> str:
    """Of a share; empty where there is none."""
    return "" if value is None else f"{100 * value:.0f} %"


def _both(groups: Sequence[Sequence[Trace]], what: str) -> list[str]:
    rates = [percent(share(group, lambda trace: bool(getattr(trace, what)))) for group in groups]
    return [str(max(map(len, groups))), *rates]


def _costs(mode: str, tasks: Sequence[Trace]) -> list[str]:
    if not tasks:
        return []
    usd = usd_per_solved(tasks)
    steps, tokens = fmean(trace.num_calls for trace in tasks), fmean(trace.tokens for trace in tasks)
    return [mode, f"{steps:.1f}", f"{tokens:,.0f}", "" if usd is None else f"{1000 * usd:.4f}"]

"""What an agent's traces come to: what it solves, what that takes, and how often an attack has its way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean

from jobs.agents.attacks import FAMILIES
from jobs.agents.tasks import KINDS
from jobs.agents.trace import ATTACKS, TASKS, Ended, Trace

MODES = {True: "guarded", False: "unguarded"}


def metrics_of(traces: Sequence[Trace]) -> dict[str, float]:
    """For the record: rates from 0 to 1, means a task, and numbers of calls over the whole run.

    A metric whose traces are not there is not there either.
    """
    metrics: dict[str, float] = {}
    for guarded, mode in MODES.items():
        tasks, attacks = of(traces, TASKS, guarded), of(traces, ATTACKS, guarded)
        metrics |= _rate(f"success_rate_{mode}", tasks, lambda trace: trace.right)
        for kind in KINDS:
            chosen = [trace for trace in tasks if trace.kind == kind]
            metrics |= _rate(f"success_rate_{mode}_{kind}", chosen, lambda trace: trace.right)
        metrics |= _rate(f"attack_success_rate_{mode}", attacks, lambda trace: trace.attacked)
        metrics |= _rate(f"success_rate_attacked_{mode}", attacks, lambda trace: trace.right)
        metrics |= _taken(mode, tasks)
    metrics["malformed_calls"] = sum(trace.malformed for trace in traces)
    metrics["refused_calls"] = sum(trace.num_refused for trace in traces)
    metrics["stopped_calls"] = sum(trace.num_stopped for trace in traces)
    metrics["unfinished_tasks"] = sum(trace.ended != Ended.ANSWERED for trace in traces)
    return metrics


def of(traces: Iterable[Trace], suite: str, guarded: bool) -> list[Trace]:
    """Those of one suite, with the guard or without."""
    return [trace for trace in traces if (trace.suite, trace.guarded) == (suite, guarded)]


def by_family(traces: Sequence[Trace]) -> dict[str, dict[bool, list[Trace]]]:
    """The attacks of each family, with the guard and without."""
    found = {
        family: {guarded: [t for t in of(traces, ATTACKS, guarded) if t.family == family] for guarded in MODES}
        for family in FAMILIES
    }
    return {family: modes for family, modes in found.items() if any(modes.values())}


def share(traces: Sequence[Trace], holds: Callable[[Trace], bool]) -> float | None:
    """Of how many it holds, from 0 to 1; None where there are none."""
    return fmean(map(holds, traces)) if traces else None


def usd_per_solved(traces: Sequence[Trace]) -> float | None:
    """Dollars of all these tasks by those that were solved; None where none was."""
    solved = sum(trace.right for trace in traces)
    return sum(trace.usd for trace in traces) / solved if solved else None


def _rate(name: str, traces: Sequence[Trace], holds: Callable[[Trace], bool]) -> Mapping[str, float]:
    value = share(traces, holds)
    return {} if value is None else {name: value}


def _taken(mode: str, tasks: Sequence[Trace]) -> Mapping[str, float]:
    if not tasks:
        return {}
    usd = usd_per_solved(tasks)
    return {
        f"steps_per_task_{mode}": fmean(trace.num_calls for trace in tasks),
        f"tokens_per_task_{mode}": fmean(trace.tokens for trace in tasks),
        **({} if usd is None else {f"usd_per_solved_{mode}": usd}),
    }

"""The wordings of all queries: asked for a few at a time, kept as they come, given up where nobody answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from clusterlab.run import append_line, read_lines
from jobs.retrieval.rewriters import RewriteError, Rewriter

PARALLEL = 4
"""Queries that are asked about at one time."""
MOST_IN_A_ROW = 8
"""Failures after which, without one success in between, the rest is not asked about."""


@dataclass(kw_only=True, slots=True)
class Wordings:
    """What came, and why the others did not."""

    by_query: dict[str, list[str]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    """Reasons by query; those that were not asked about any more have that of the last."""


def kept(path: Path) -> dict[str, list[str]]:
    """What an earlier attempt wrote down, by query."""
    return {line["query"]: line["wordings"] for line in read_lines(path)}


def collect(
    queries: Mapping[str, str], rewriter: Rewriter, path: Path, tell: Callable[[int, int], None] = lambda *_: None
) -> Wordings:
    """Wordings of each query; those that `path` has from an earlier attempt are not asked for again.

    `tell` is called as it goes on with how many queries were asked about, and how many there are.
    """
    found = Wordings(by_query=kept(path))
    left = [query for query in queries if query not in found.by_query]
    in_a_row = 0
    for part in _parts(left, PARALLEL):
        if in_a_row >= MOST_IN_A_ROW:
            reason = list(found.failures.values())[-1]
            found.failures |= dict.fromkeys(part, reason)
            continue
        with ThreadPoolExecutor(PARALLEL) as pool:
            outcomes = list(pool.map(lambda query: _one(rewriter, queries[query]), part))
        for query, outcome in zip(part, outcomes, strict=True):
            if isinstance(outcome, str):
                found.failures[query] = outcome
                in_a_row += 1
                continue
            in_a_row = 0
            found.by_query[query] = outcome
            append_line(path, {"query": query, "wordings": outcome})
        tell(len(found.by_query) + len(found.failures), len(queries))
    return found


def _one(rewriter: Rewriter, query: str) -> list[str] | str:
    """Wordings, or why there are none."""
    try:
        return rewriter.rewrite(query)
    except RewriteError as error:
        return str(error)


def _parts(values: list[str], size: int) -> Iterator[Iterable[str]]:
    return (values[begin : begin + size] for begin in range(0, len(values), size))

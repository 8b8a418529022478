"""One load after the other on a server: the closed loop with more and more clients, then the open one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clusterlab.errors import ClusterlabError
from jobs.launch.folder import report
from jobs.load.loops import closed, open_loop
from jobs.load.outcome import Ending, Outcome
from jobs.load.prompts import Prompt, made_prompts
from jobs.load.summary import Slo, Summary
from jobs.load.target import Target

MAX_LOADS = 1000
"""Between the seeds of two series, so that no load of one has the prompts of a load of the other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """What is asked, and how."""

    clients: Sequence[int]
    """Of the closed loop, growing."""
    rate: float
    """Of the open loop, in requests a second."""
    num_requests: int
    """At each load."""
    num_words: int
    """Of a prompt."""
    new_tokens: int
    """Of an answer."""
    limit_seconds: float
    """After which an answer is given up."""
    slo: Slo
    seed: int

    def put(self, target: Target) -> Measured:
        """Put every load on a server, after one that is not measured: kernels are made and chosen at first requests.

        Raises:
            ClusterlabError: not all of the first requests were answered.
        """
        import uvloop

        _check(uvloop.run(self._closed(target, self.clients[-1], 0)))
        steps = len(self.clients) + 1
        summaries = []
        for step, load in enumerate(self.clients, 1):
            summaries.append(Summary.of(load, uvloop.run(self._closed(target, load, step)), self.slo))
            report("load", step, steps, **summaries[-1].metrics())
        last = Summary.of(self.rate, uvloop.run(self._open(target, steps)), self.slo)
        report("load", steps, steps, **last.metrics())
        return Measured(slo=self.slo, closed=tuple(summaries), open=last)

    def _closed(self, target: Target, clients: int, step: int) -> Coroutine[Any, Any, list[Outcome]]:
        return closed(target, self._prompts(step), concurrency=clients, limit_seconds=self.limit_seconds)

    def _open(self, target: Target, step: int) -> Coroutine[Any, Any, list[Outcome]]:
        given = {"rate": self.rate, "limit_seconds": self.limit_seconds}
        return open_loop(target, self._prompts(step), seed=self._seed(step), **given)

    def _prompts(self, step: int) -> list[Prompt]:
        asked = {"num_words": self.num_words, "new_tokens": [self.new_tokens]}
        return made_prompts(self.num_requests, **asked, seed=self._seed(step))  # type: ignore[arg-type]

    def _seed(self, step: int) -> int:
        return self.seed * MAX_LOADS + step


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What a series amounted to."""

    slo: Slo
    closed: tuple[Summary, ...]
    open: Summary

    def metrics(self) -> dict[str, float]:
        """Those of the closed loop end in `_at_` and the clients, those of the open one in `_open`.

        `answered` is the share of all requests that were, `tokens_per_second` the most of any number of clients, and
        `gain` what the most clients have of it over the fewest.
        """
        summaries = (*self.closed, self.open)
        names = [*(f"at_{summary.load:g}" for summary in self.closed), "open"]
        metrics = {
            f"{metric}_{name}": value
            for name, summary in zip(names, summaries, strict=True)
            for metric, value in summary.metrics().items()
        }
        answered = sum(each.num_done for each in summaries) / sum(each.num_requests for each in summaries)
        rates = [each.tokens_per_second for each in self.closed]
        gain = {} if rates[0] == 0 else {"gain": rates[-1] / rates[0]}
        return metrics | {"answered": answered, "tokens_per_second": max(rates)} | gain

    def save(self, path: Path) -> None:
        """Write the summaries as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1))


def _check(outcomes: Sequence[Outcome]) -> None:
    wrong = Counter(
        f"{outcome.ending}, HTTP status {outcome.status}" for outcome in outcomes if outcome.ending is not Ending.DONE
    )
    if wrong:
        how = "; ".join(f"{count} {ending}" for ending, count in wrong.items())
        raise ClusterlabError(f"of the first {len(outcomes)} requests not all were answered: {how}")

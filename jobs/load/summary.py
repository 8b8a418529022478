"""What a load amounted to: throughput, percentiles of the latencies, errors by kind, and goodput under an SLO."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from jobs.load.outcome import Ending, Outcome

RATES = ("requests_per_second", "tokens_per_second", "goodput_per_second")


@dataclass(frozen=True, kw_only=True, slots=True)
class Slo:
    """A service level objective: what a request must keep to be of use to whoever sent it."""

    ttft_seconds: float
    tpot_seconds: float

    def kept_by(self, outcome: Outcome) -> bool:
        """Whether a request was answered, and in time in both respects."""
        ttft, tpot = outcome.ttft, outcome.tpot
        if outcome.ending is not Ending.DONE or ttft is None:
            return False
        return ttft <= self.ttft_seconds and (tpot is None or tpot <= self.tpot_seconds)


@dataclass(frozen=True, kw_only=True, slots=True)
class Percentiles:
    """Of some seconds, by linear interpolation between the two closest (as NumPy does)."""

    mean: float
    p50: float
    p90: float
    p99: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Percentiles | None:
        """None where there are no values."""
        if not values:
            return None
        cuts = statistics.quantiles(values, n=100, method="inclusive") if len(values) > 1 else [values[0]] * 99
        return cls(mean=statistics.fmean(values), p50=cuts[49], p90=cuts[89], p99=cuts[98])


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """One load. Latencies are of the requests that were answered whole, and counted from when they were scheduled."""

    load: float
    """Clients in the closed loop, requests a second in the open one."""
    num_requests: int
    endings: dict[str, int]
    """How many requests ended in each way; a way in which none ended is not there."""
    statuses: dict[str, int]
    """The same of HTTP statuses."""
    seconds: float
    """From the first request's schedule to the last one's end."""
    requests_per_second: float
    tokens_per_second: float
    """Tokens of whole answers."""
    goodput_per_second: float
    """Requests a second that kept the SLO (DistServe, arXiv:2401.09670)."""
    ttft: Percentiles | None
    tpot: Percentiles | None
    latency: Percentiles | None
    lateness: Percentiles | None
    """How late requests were sent: what the generator itself adds, and what it would hide if it counted from there."""

    @classmethod
    def of(cls, load: float, outcomes: Sequence[Outcome], slo: Slo) -> Summary:
        """Of all outcomes of one load, one at least."""
        done = [outcome for outcome in outcomes if outcome.ending is Ending.DONE]
        seconds = max(each.ended for each in outcomes) - min(each.scheduled for each in outcomes)
        return cls(
            load=load,
            num_requests=len(outcomes),
            endings=dict(Counter(str(outcome.ending) for outcome in outcomes)),
            statuses=dict(Counter(str(outcome.status) for outcome in outcomes if outcome.status is not None)),
            seconds=seconds,
            requests_per_second=len(done) / seconds,
            tokens_per_second=sum(outcome.tokens for outcome in done) / seconds,
            goodput_per_second=sum(map(slo.kept_by, outcomes)) / seconds,
            ttft=Percentiles.of([outcome.ttft for outcome in done if outcome.ttft is not None]),
            tpot=Percentiles.of([outcome.tpot for outcome in done if outcome.tpot is not None]),
            latency=Percentiles.of([outcome.latency for outcome in done]),
            lateness=Percentiles.of([outcome.sent - outcome.scheduled for outcome in outcomes]),
        )

    @property
    def num_done(self) -> int:
        """Requests that were answered whole."""
        return self.endings.get(Ending.DONE, 0)

    def metrics(self) -> dict[str, float]:
        """What of it goes into a run's record and its progress; without the latencies where none was measured."""
        metrics = {name: float(getattr(self, name)) for name in RATES} | {"answered": self.num_done / self.num_requests}
        for name in ("ttft", "tpot", "lateness"):
            if (found := getattr(self, name)) is not None:
                metrics |= {f"{name}_p50_seconds": found.p50, f"{name}_p99_seconds": found.p99}
        return metrics

from __future__ import annotations

import numpy as np
import pytest

from jobs.load.outcome import Ending, Outcome
from jobs.load.summary import Percentiles, Slo, Summary

SLO = Slo(ttft_seconds=0.5, tpot_seconds=0.1)


def answered(at: float, *, ttft: float = 0.1, tpot: float = 0.05, tokens: int = 11, late: float = 0.0) -> Outcome:
    last = at + ttft + tpot * (tokens - 1)
    return Outcome(
        scheduled=at,
        sent=at + late,
        ended=last,
        ending=Ending.DONE,
        status=200,
        first_token=at + ttft,
        last_token=last,
        tokens=tokens,
    )


def failed(at: float, ending: Ending, status: int | None = None) -> Outcome:
    return Outcome(scheduled=at, sent=at, ended=at + 0.001, ending=ending, status=status)


def test_percentiles_are_those_of_numpy() -> None:
    values = list(np.random.default_rng(0).exponential(size=257))
    found = Percentiles.of(values)
    assert found is not None
    assert [found.p50, found.p90, found.p99] == pytest.approx(np.percentile(values, [50, 90, 99]))
    assert found.mean == pytest.approx(np.mean(values))
    assert Percentiles.of([2.0]) == Percentiles(mean=2.0, p50=2.0, p90=2.0, p99=2.0)
    assert Percentiles.of([]) is None


def test_ttft_tpot_and_latency_count_from_the_schedule() -> None:
    outcome = answered(3.0, ttft=0.2, tpot=0.03, tokens=5, late=0.1)
    assert outcome.ttft == pytest.approx(0.2)
    assert outcome.tpot == pytest.approx(0.03)
    assert outcome.latency == pytest.approx(0.32)
    assert answered(0.0, tokens=1).tpot is None


def test_a_summary_counts_every_request_and_measures_those_that_were_answered() -> None:
    outcomes = [answered(0.0), answered(1.0), answered(9.4, late=0.2)]
    outcomes += [failed(2.0, Ending.FAILED, 503), failed(3.0, Ending.REFUSED), failed(4.0, Ending.REFUSED)]
    summary = Summary.of(4.0, outcomes, SLO)
    assert summary.endings == {"done": 3, "failed": 1, "refused": 2}
    assert summary.statuses == {"200": 3, "503": 1}
    assert summary.seconds == pytest.approx(10)
    assert summary.requests_per_second == pytest.approx(0.3)
    assert summary.tokens_per_second == pytest.approx(3.3)
    assert summary.latency is not None
    assert summary.latency.p50 == pytest.approx(0.6)
    assert summary.lateness is not None
    assert summary.lateness.p99 > 0.1
    assert summary.metrics()["answered"] == 0.5


def test_goodput_counts_what_kept_both_limits() -> None:
    outcomes = [answered(0.0), answered(0.0, ttft=0.6), answered(0.0, tpot=0.2), answered(0.0, tokens=1)]
    outcomes.append(failed(0.0, Ending.TIMED_OUT))
    assert [SLO.kept_by(outcome) for outcome in outcomes] == [True, False, False, True, False]
    summary = Summary.of(1.0, outcomes, SLO)
    assert summary.goodput_per_second * summary.seconds == pytest.approx(2)


def test_a_load_of_which_nothing_came_back_has_no_percentiles() -> None:
    summary = Summary.of(1.0, [failed(0.0, Ending.REFUSED)], SLO)
    assert (summary.ttft, summary.tpot, summary.latency) == (None, None, None)
    assert "ttft_p50_seconds" not in summary.metrics()
    assert summary.metrics()["requests_per_second"] == 0

from __future__ import annotations

import socket
import statistics
import time
from collections import Counter
from collections.abc import Callable

import pytest
import uvloop

from clusterlab.errors import InputError
from jobs.load.client import Client
from jobs.load.loops import closed
from jobs.load.outcome import Ending, Outcome
from jobs.load.prompts import made_prompts
from jobs.load.summary import Percentiles
from tests.jobs.load.conftest import Delays

Serve = Callable[..., Delays]
STALL = 1.5


def test_every_time_lies_between_those_that_the_server_wrote_down(delays: Serve) -> None:
    server = delays(ttft=0.01, tpot=0.001)
    outcomes = server.closed(20)
    records = server.records()
    assert len(outcomes) == len(records) == 20
    for outcome, record in zip(outcomes, records, strict=True):
        assert outcome.scheduled == outcome.sent <= record["received"]
        assert outcome.first_token is not None
        assert outcome.last_token is not None
        assert record["first_token"] <= outcome.first_token <= outcome.last_token
        assert record["last_token"] <= outcome.last_token <= outcome.ended
    for outcome, following in zip(outcomes, records[1:], strict=False):
        assert outcome.ended <= following["received"]


def test_ttft_and_tpot_are_those_of_the_server(delays: Serve) -> None:
    server = delays(ttft=0.2, tpot=0.02)
    outcomes = server.closed(24, tokens=11, concurrency=4)
    records = server.records()
    ttft = statistics.median(outcome.ttft or 0 for outcome in outcomes)
    tpot = statistics.median(outcome.tpot or 0 for outcome in outcomes)
    # The server is the referee: where the machine is busy its own delays are longer than it was asked for.
    assert ttft == pytest.approx(statistics.median(r["first_token"] - r["received"] for r in records), rel=0.1)
    assert tpot == pytest.approx(statistics.median(r["last_token"] - r["first_token"] for r in records) / 10, rel=0.1)
    assert ttft >= 0.2
    assert {outcome.tokens for outcome in outcomes} == {11}


def test_only_the_open_loop_shows_a_stall_to_all_who_came_in_it(delays: Serve) -> None:
    """Coordinated omission: one client waits once, so a closed loop's percentiles know nothing of the stall."""
    in_closed = delays(stall=STALL, stall_after=150).closed(300)
    in_open = delays(stall=STALL, stall_after=150).open(300, rate=100)
    assert _late(in_closed) == 1
    assert _late(in_open) > 30
    assert _p99(in_closed) < STALL / 2 < _p99(in_open)


def _late(outcomes: list[Outcome]) -> int:
    return sum(outcome.latency > STALL / 2 for outcome in outcomes)


def _p99(outcomes: list[Outcome]) -> float:
    found = Percentiles.of([outcome.latency for outcome in outcomes])
    assert found is not None
    return found.p99


def test_latency_counts_from_the_schedule_where_the_sender_itself_is_held_up(delays: Serve) -> None:
    server = delays()

    async def late() -> Outcome:
        client = Client(server, limit_seconds=60)
        request = client.request(made_prompts(1, num_words=4, new_tokens=[2], seed=0)[0])
        try:
            return (await client.ask(request, time.perf_counter() - 5)).outcome()
        finally:
            client.close()

    outcome = uvloop.run(late())
    assert outcome.sent - outcome.scheduled >= 5
    assert outcome.latency >= 5
    assert (outcome.ttft or 0) >= 5


def test_a_seed_repeats_the_arrivals_and_another_does_not(delays: Serve) -> None:
    server = delays()

    def gaps(seed: int) -> list[float]:
        outcomes = server.open(20, rate=200, seed=seed)
        return [round(outcome.scheduled - outcomes[0].scheduled, 6) for outcome in outcomes]

    assert gaps(1) == gaps(1) != gaps(2)


def test_the_open_loop_does_not_wait_for_answers_and_the_closed_one_does(delays: Serve) -> None:
    server = delays(ttft=0.5)
    in_open = server.open(20, rate=100)
    in_closed = server.closed(6, concurrency=3)
    assert _most_at_once(in_open) > 3
    assert _most_at_once(in_closed) == 3


def _most_at_once(outcomes: list[Outcome]) -> int:
    return max(sum(other.sent <= each.sent < other.ended for other in outcomes) for each in outcomes)


@pytest.mark.parametrize(
    ("fault", "ending", "status"),
    [
        ("400", Ending.REJECTED, 400),
        ("503", Ending.FAILED, 503),
        ("drop", Ending.BROKEN, 200),
        ("no-end", Ending.BROKEN, 200),
        ("garbage", Ending.BROKEN, None),
        ("error", Ending.FAILED, 200),
    ],
)
def test_every_kind_of_failure_is_counted_as_what_it_is(
    delays: Serve, fault: str, ending: Ending, status: int | None
) -> None:
    outcomes = delays(fault=fault).closed(6, concurrency=2)
    assert [(outcome.ending, outcome.status) for outcome in outcomes] == [(ending, status)] * 6


def test_a_server_that_dies_breaks_what_it_was_answering_and_refuses_the_rest(delays: Serve) -> None:
    outcomes = delays(fault="die", tpot=0.001).closed(12, concurrency=2)
    assert Counter(outcome.ending for outcome in outcomes).keys() == {Ending.BROKEN, Ending.REFUSED}
    assert sum(outcome.ending is Ending.BROKEN for outcome in outcomes) <= 4


def test_who_never_answers_is_given_up(delays: Serve) -> None:
    outcomes = delays(fault="silent").closed(4, concurrency=2, limit=0.5)
    assert [outcome.ending for outcome in outcomes] == [Ending.TIMED_OUT] * 4


def test_a_port_that_nobody_listens_at_refuses() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        outcomes = Delays(url=f"http://127.0.0.1:{free.getsockname()[1]}").closed(3)
    assert [outcome.ending for outcome in outcomes] == [Ending.REFUSED] * 3


def test_clients_keep_their_connections(delays: Serve) -> None:
    server = delays()
    assert all(outcome.ending is Ending.DONE for outcome in server.closed(50, concurrency=2))
    assert len({record["port"] for record in server.records()}) == 2


def test_no_prompts_are_no_load(delays: Serve) -> None:
    server = delays()
    assert server.open(0) == server.closed(0) == []


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host", "http://host:99999", "http://host/v1", "http://"])
def test_what_is_no_url_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="no URL of a server; allowed: without a path, such as http://127"):
        uvloop.run(closed(Delays(url=url), [], concurrency=1, limit_seconds=1))

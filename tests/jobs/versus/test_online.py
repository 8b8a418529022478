from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from clusterlab.errors import ClusterlabError
from jobs.launch.numbers import growing, parse_numbers
from jobs.versus.memory import children_mib, peak_memory
from jobs.versus.online import Clients, put_loads
from tests.jobs.load.conftest import Delays

CLIENTS = Clients(loads=(1, 4), requests_per_client=3, num_words=4, lengths=(2, 5), limit_seconds=60, seed=0)


def test_each_load_has_as_many_requests_a_client_and_tokens_that_were_asked_for(delays: Callable[..., Delays]) -> None:
    server = delays(ttft=0.01, tpot=0.002)
    found = put_loads(server, CLIENTS)
    assert [load["load"] for load in found["loads"]] == [1, 4]
    assert [load["num_requests"] for load in found["loads"]] == [3, 12]
    assert [load["endings"] for load in found["loads"]] == [{"done": 3}, {"done": 12}]
    assert all(load["ttft"]["p50"] >= 0.01 for load in found["loads"])
    # One request of each client warms up.
    assert len(server.records()) == 1 + 3 + 4 + 12
    assert found["memory_mib"] > 1


def test_every_server_is_asked_the_same(delays: Callable[..., Delays]) -> None:
    first, second = (put_loads(delays(), CLIENTS)["loads"] for _ in range(2))
    tokens = [[load["tokens_per_second"] * load["seconds"] for load in loads] for loads in (first, second)]
    assert tokens[0] == pytest.approx(tokens[1])
    other = put_loads(delays(), dataclasses.replace(CLIENTS, seed=5))["loads"]
    assert tokens[0] != pytest.approx([load["tokens_per_second"] * load["seconds"] for load in other])


def test_a_server_that_fails_is_no_measurement(delays: Callable[..., Delays]) -> None:
    with pytest.raises(ClusterlabError, match=r"http://.*: 1 clients: not all were answered: \{'failed': 3\}"):
        put_loads(delays(fault="503"), CLIENTS)


def test_the_most_that_was_held_at_one_time_is_told() -> None:
    seen = iter([5.0, 9.0, *[2.0] * 1000])
    with peak_memory(lambda: next(seen)) as peak:
        while peak.mib < 9:
            time.sleep(0.01)
    assert peak.mib == 9


def test_memory_of_processes_below_this_one_counts() -> None:
    before = children_mib()
    script = "held = bytearray(b'1' * 2**26); print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        assert children_mib() - before > 64
        child.kill()


@pytest.mark.parametrize("text", ["", "1,x", "0", "4,-1", "1.5"])
def test_what_is_no_number_of_clients_or_tokens_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^allowed: whole numbers above 0, with commas between$"):
        parse_numbers(text)


def test_numbers_grow_or_do_not() -> None:
    assert parse_numbers("1,8,32") == (1, 8, 32)
    assert growing((1, 8, 32))
    assert not growing((1, 8, 8))

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clusterlab.config import parse
from clusterlab.errors import ClusterlabError, InputError, UnreachableError
from jobs.load.prompts import Prompt
from jobs.serve_ray import Config
from jobs.serving import replicas
from jobs.serving.callers import Calls, asking_on, tokens_per_second
from jobs.serving.endpoint import Endpoint
from jobs.serving.server import serving
from tests.jobs.serving.stand_in import StandIn
from tests.jobs.serving.test_server import SETTINGS

PROMPTS = [Prompt(text="so", new_tokens=4)] * 6
NOBODY = Endpoint(url="http://127.0.0.1:9", model="small", api_key=None)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"MODEL": "gpt2"}, "MODEL=gpt2: allowed: tiny-llama, tiny-llama-256"),
        ({"SHARE": "0.6"}, "SHARE=0.6: must be above 0 and at most 0.5, so that two replicas fit"),
        ({"MAX_REPLICAS": "1"}, "MAX_REPLICAS=1: must be 2 or more"),
        ({"CLIENTS": "1"}, "CLIENTS=1: must be 2 or more"),
        ({"NEW_TOKENS": "4"}, "NEW_TOKENS=4: must be 12 or more"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(given: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        parse(Config, {"SCALE": "tiny"} | given)


def test_clients_count_what_they_are_answered(tmp_path: Path) -> None:
    with serving(StandIn(), SETTINGS, log=tmp_path / "log", limit_seconds=60) as endpoint:
        assert tokens_per_second(endpoint, PROMPTS, clients=3) > 0
        with asking_on(endpoint, PROMPTS, clients=3) as calls:
            pass
        assert calls.statuses == {200: calls.statuses.total()}
        assert calls.num_tokens == 4 * calls.statuses.total()
        assert calls.share_done == calls.share_kept == 1


def test_a_request_that_is_lost_counts_as_lost() -> None:
    with pytest.raises(ClusterlabError, match=r"not all were answered: \{0: 6\}"):
        tokens_per_second(NOBODY, PROMPTS, clients=3)
    calls = Calls()
    calls.statuses.update([200, 200, 503, 0])
    assert calls.share_done == 0.5
    assert calls.share_kept == 0.75


def test_replicas_that_never_come_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnreachableError, match=r"^http://127\.0\.0\.1:9/replicas: "):
        replicas.running(NOBODY)
    monkeypatch.setattr(replicas, "running", lambda _: [7])
    with pytest.raises(UnreachableError, match=r"1 replicas run after 0 s$"):
        replicas.seconds_until(NOBODY, lambda pids: len(pids) > 1, limit_seconds=0)
    assert replicas.seconds_until(NOBODY, lambda pids: pids == [7], limit_seconds=0) >= 0

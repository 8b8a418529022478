from __future__ import annotations

import pytest

from clusterlab.errors import UnreachableError
from jobs.launch.workers import END_SECONDS as WORKER_SECONDS
from jobs.serving import holding, server
from jobs.serving.endpoint import Endpoint
from jobs.serving.holding import hold
from jobs.serving.settings import DRAIN_SECONDS
from tests.jobs.serving.stand_in import StandIn

NOBODY = Endpoint(url="http://127.0.0.1:9", model="m", api_key=None)


def test_a_server_that_is_well_is_held_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "healthy", lambda *_: True)
    monkeypatch.setattr(holding, "SILENT_SECONDS", -1)
    hold(StandIn(), NOBODY, seconds=0.1)


def test_a_server_that_is_no_longer_well_is_not_paid_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "SILENT_SECONDS", 0.05)
    monkeypatch.setattr(holding, "POLL_SECONDS", 0.01)
    with pytest.raises(UnreachableError, match=r"^http://127\.0\.0\.1:9: was not well for 0\.05 s, while it was to be"):
        hold(StandIn(), NOBODY, seconds=600)


def test_a_job_that_is_stopped_has_time_for_its_servers_answers() -> None:
    assert WORKER_SECONDS > DRAIN_SECONDS + server.END_SECONDS

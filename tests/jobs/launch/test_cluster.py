from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clusterlab.errors import InputError, UnreachableError
from jobs.launch import cluster
from jobs.launch.cluster import Cluster
from jobs.launch.embedded import Embedded


@pytest.fixture
def silent() -> Iterator[str]:
    """An address that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def closed() -> str:
    """An address where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{unused.getsockname()[1]}"


def test_a_silent_address_is_given_up_after_the_time_limit(silent: str) -> None:
    with pytest.raises(UnreachableError, match=f"RAY_ADDRESS: {silent}: did not answer within 1 s"):
        Cluster.connect(silent, seconds=1)


def test_a_closed_port_is_unreachable(closed: str) -> None:
    with pytest.raises(UnreachableError, match=f"RAY_ADDRESS: http://{closed}: did not answer within 1 s .*refused"):
        Cluster.connect(closed, seconds=1)


@pytest.mark.parametrize("address", ["auto", "ray://head:10001", "head", "http://head", "http://head:port"])
def test_another_form_of_address_is_refused(address: str) -> None:
    with pytest.raises(InputError, match=r"RAY_ADDRESS: .*allowed: http://host:port"):
        Cluster.connect(address, seconds=1)


def test_a_cluster_that_refuses_our_token_is_named(head: Embedded) -> None:
    with pytest.raises(InputError, match="refuses us; RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH"):
        Cluster.connect(head.address, seconds=20, headers={"Authorization": "Bearer wrong"})


class _Busy:
    """A cluster that refuses a job some times before it takes it."""

    def __init__(self, reason: str, times: int) -> None:
        self.reason, self.times = reason, times

    def submit_job(self, submission_id: str, **_: Any) -> str:
        self.times -= 1
        if self.times >= 0:
            raise RuntimeError(f"Request failed with status code 500: {self.reason}.")
        return submission_id


class _Deaf:
    """A client whose first submission arrives, though its answer is lost."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def submit_job(self, submission_id: str, **_: Any) -> str:
        if submission_id in self.taken:
            raise RuntimeError(
                f"Request failed with status code 500: Job with submission_id {submission_id} already exists."
            )
        self.taken.append(submission_id)
        raise ConnectionError("Remote end closed connection without response")


class _Request:
    """Any."""

    def variables(self, _folder: Path) -> dict[str, str]:
        return {}

    def entrypoint(self, _folder: Path, *, python: str) -> str:
        return python

    def metadata(self) -> dict[str, str]:
        return {}


def _submit(client: Any, folder: Path) -> str:
    request: Any = _Request()
    return Cluster(address="http://head:1", client=client, seconds=1).submit(request, folder, python="p", upload=None)


def test_a_cluster_whose_agents_are_not_there_yet_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    busy = _Busy("No available agent to submit job, please try again later.", 2)
    assert _submit(busy, tmp_path).startswith("raysubmit_")
    monkeypatch.setattr(cluster, "AGENT_SECONDS", -1)
    with pytest.raises(UnreachableError, match=r"takes no job: .*No available agent"):
        _submit(_Busy("No available agent to submit job", 2), tmp_path)


def test_a_job_is_submitted_once_when_its_answer_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    deaf = _Deaf()
    assert [_submit(deaf, tmp_path)] == deaf.taken


def test_a_submission_that_broke_after_long_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deaf = _Deaf()
    monkeypatch.setattr("time.monotonic", lambda: 100.0 * len(deaf.taken))
    monkeypatch.setattr("time.sleep", lambda _: None)
    assert [_submit(deaf, tmp_path)] == deaf.taken


def test_another_refusal_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match=r"takes no job: .*the job is bad"):
        _submit(_Busy("the job is bad", 1), tmp_path)

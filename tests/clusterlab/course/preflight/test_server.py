from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from clusterlab.course.config import ADMIN_POLICY
from clusterlab.course.preflight.check import Check, Verdict
from clusterlab.course.preflight.server import (
    ENDPOINT_VARIABLE,
    EXPORT,
    NAME,
    POLICY,
    REFUSAL,
    TOKEN_VARIABLE,
    look,
    look_here,
)
from clusterlab.errors import ClusterlabError
from tests.clusterlab.conftest import ROOT
from tests.clusterlab.course.preflight.conftest import Make, one, serving, told
from tests.needs import needs_skypilot

NETWORK = {"cidr": "10.60.0.0/16", "ssh_from": ["192.0.2.0/24"]}
WELL = {"status": "healthy", "version": "0.14.1"}
REFUSED = {"detail": {"message": f"{REFUSAL}\npreflight: resources.labels.course: missing"}}


class Server:
    """What a course server answers, and what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {"/api/health": (200, WELL), "/validate": (400, REFUSED)}
        self.tokens: dict[str, str | None] = {}
        self.question = b""
        self.url = ""

    def __call__(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, Any]:
        assert (handler.command == "POST") == bool(body)
        self.question = body
        self.tokens[handler.path] = handler.headers["Authorization"]
        return self.answers[handler.path]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    found = Server()
    with serving(found) as url:
        found.url = url
        monkeypatch.setenv(ENDPOINT_VARIABLE, f"{url}/")
        yield found


def nothing() -> Mapping[str, Any]:
    raise ClusterlabError("no such stack")


def looked(make: Make, outputs: Any = nothing) -> list[Check]:
    return list(look(make(server=True, network=NETWORK), outputs))


def test_a_server_that_is_well_and_refuses_an_untagged_task_passes(make: Make, server: Server) -> None:
    checks = looked(make)
    assert told(iter(checks)) == [(NAME, "PASS"), (POLICY, "PASS")]
    assert checks[0].seen == f"{server.url} is healthy, SkyPilot 0.14.1"


def test_the_token_goes_with_the_task_and_nowhere_else(
    make: Make, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "sky_token")
    looked(make)
    assert server.tokens == {"/api/health": None, "/validate": "Bearer sky_token"}


def test_a_server_that_lets_an_untagged_task_pass_fails(make: Make, server: Server) -> None:
    server.answers["/validate"] = 200, None
    assert told(iter(looked(make))) == [(NAME, "PASS"), (POLICY, "FAIL")]


ANSWERS = {
    "no token": (401, {"detail": "Authentication required"}),
    "another reason": (400, {"detail": {"message": "Invalid task"}}),
    "another fault": (400, {"detail": {"message": f"{REFUSAL}\npreflight: resources.autostop: missing"}}),
    "broken": (500, "no"),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_a_refusal_that_is_not_the_policy_s_is_no_pass(make: Make, server: Server, answer: tuple[int, Any]) -> None:
    server.answers["/validate"] = answer
    checks = looked(make)
    assert told(iter(checks)) == [(NAME, "PASS"), (POLICY, "WARN")]
    assert str(answer[0]) in checks[1].seen


@pytest.mark.parametrize("answer", [(200, {"status": "unhealthy"}), (503, {"detail": "busy"}), (200, "well")])
def test_a_server_that_is_not_well_fails_and_is_asked_no_more(
    make: Make, server: Server, answer: tuple[int, Any]
) -> None:
    server.answers["/api/health"] = answer
    assert told(iter(looked(make))) == [(NAME, "FAIL")]
    assert list(server.tokens) == ["/api/health"]


def test_a_server_that_does_not_answer_fails(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT_VARIABLE, "http://127.0.0.1:9")
    [check] = looked(make)
    assert (check.verdict, "no answer" in check.seen) == (Verdict.FAIL, True)


@pytest.mark.parametrize("url", ["http://198.51.100.7", "https://ana:secret@198.51.100.7", "ftp://127.0.0.1"])
def test_an_address_that_gives_a_token_away_is_not_asked(make: Make, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv(ENDPOINT_VARIABLE, url)
    [check] = looked(make)
    assert (check.verdict, "its address is not encrypted" in check.seen) == (Verdict.FAIL, True)
    assert "secret" not in check.seen + check.todo


def test_the_stack_says_where_it_is(make: Make, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENDPOINT_VARIABLE)
    assert told(iter(looked(make, lambda: {EXPORT: server.url}))) == [(NAME, "PASS"), (POLICY, "PASS")]


def test_a_server_that_nobody_knows_is_no_pass(make: Make) -> None:
    [check] = looked(make)
    assert (check.verdict, check.seen.endswith("the stack: no such stack")) == (Verdict.WARN, True)
    [check] = looked(make, dict)
    assert (check.verdict, check.seen.endswith("the stack has no aws_server_endpoint")) == (Verdict.WARN, True)


def test_a_class_without_a_server_has_none_to_ask(make: Make) -> None:
    assert one(look(make(), nothing), NAME).verdict is Verdict.PASS


def test_the_stack_exports_it_by_this_name() -> None:
    assert f'"{EXPORT}"' in (ROOT / "infra" / "on_aws.py").read_text()


@pytest.mark.usefixtures("sky")
@needs_skypilot
def test_skypilot_itself_answers_so(make: Make, server: Server) -> None:
    """The server's own function for what is asked, with the policy that the server has."""
    from fastapi import HTTPException
    from sky import skypilot_config
    from sky.server.requests import payloads
    from sky.utils import config_utils

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of SkyPilot's own
        from sky.server.server import validate

    looked(make)
    config = config_utils.Config({"admin_policy": "clusterlab.api_server.ServedPolicy"})
    with skypilot_config.replace_skypilot_config_in_process(config), pytest.raises(HTTPException) as error:
        asyncio.run(validate(payloads.ValidateBody.model_validate_json(server.question)))
    server.answers["/validate"] = error.value.status_code, {"detail": error.value.detail}
    assert told(iter(looked(make))) == [(NAME, "PASS"), (POLICY, "PASS")]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (f"admin_policy: {ADMIN_POLICY}\n", "PASS"),
        ("admin_policy: mine.Policy\n", "FAIL"),
        ("{}\n", "FAIL"),
        ("a: [\n", "FAIL"),
        (None, "FAIL"),
    ],
)
def test_the_repository_names_the_policy(make: Make, house: Path, text: str | None, verdict: str) -> None:
    if text is not None:
        (house / ".sky.yaml").write_text(text)
    assert one(look_here(make()), POLICY).verdict == verdict


def test_this_repository_names_it() -> None:
    assert f"admin_policy: {ADMIN_POLICY}" in (ROOT / ".sky.yaml").read_text()

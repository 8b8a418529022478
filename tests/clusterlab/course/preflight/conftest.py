"""The small house as a class that is ready, for the tests to spoil; and Service Quotas, emulated on the loopback."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from clusterlab.catalog import Catalog
from clusterlab.course.preflight.check import Check
from clusterlab.course.preflight.subject import Subject
from clusterlab.reaper.cloud import Cloud
from tests import web

TODAY = date(2026, 9, 10)
CLASS: dict[str, Any] = {
    "course": "llm-2026",
    "infra": ["aws/us-east-1"],
    "roster": ["ana", "ben", "eva"],
    "instructors": ["teacher@university.edu"],
    "dates": {"start": date(2026, 9, 1), "end": date(2026, 12, 18)},
    "labs": {"toy": {"due": date(2026, 9, 22)}},
    "budget_usd": {"course": 1000, "student": 100},
    "network": {"cidr": "10.60.0.0/16", "zones": ["a", "b"], "ssh_from": ["192.0.2.0/24"]},
}
Make = Callable[..., Subject]


@pytest.fixture
def make(house: Path) -> Make:
    """A class with some keys of its file changed; None takes one out."""

    def make(*, today: date = TODAY, **changes: Any) -> Subject:
        path = house / "clusters" / "llm-2026.yaml"
        values = {key: value for key, value in (CLASS | changes).items() if value is not None}
        path.write_text(yaml.safe_dump(values, sort_keys=False))
        return Subject.load(Path("clusters/llm-2026.yaml"), house, Catalog.load(), today=today)

    return make


def told(checks: Iterator[Check]) -> list[tuple[str, str]]:
    """By name and verdict."""
    return [(each.name, each.verdict.value) for each in checks]


def one(checks: Iterator[Check], name: str) -> Check:
    [found] = [each for each in checks if each.name == name]
    return found


class Quotas:
    """What an account has, by code: a number, or the error that Service Quotas answers with."""

    def __init__(self) -> None:
        self.values: dict[str, float | str] = {}
        self.defaults: dict[str, float] = {}
        self.asked: list[tuple[str, str]] = []

    def answer(self, target: str, asked: dict[str, str]) -> tuple[int, dict[str, Any]]:
        operation, code = target.rpartition(".")[2], asked["QuotaCode"]
        self.asked.append((operation, code))
        known = self.values if operation == "GetServiceQuota" else self.defaults
        value = known.get(code, "NoSuchResourceException")
        if isinstance(value, str):
            return 400, {"__type": value, "Message": "no"}
        return 200, {"Quota": {"ServiceCode": asked["ServiceCode"], "QuotaCode": code, "Value": value}}


@pytest.fixture
def quotas(monkeypatch: pytest.MonkeyPatch) -> Iterator[Quotas]:
    """An emulation of Service Quotas, which speaks its protocol; moto has no quotas of EC2."""
    found = Quotas()

    def answer(handler: web.Handler, body: bytes) -> tuple[int, Any]:
        return found.answer(handler.headers["X-Amz-Target"], json.loads(body))

    with serving(answer) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SERVICE_QUOTAS", url)
        yield found


@pytest.fixture(autouse=True)
def _no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials of nobody, and whatever no test serves ends at a port where nobody listens."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("CLUSTERLAB_LEDGER", "SKYPILOT_API_SERVER_ENDPOINT", "SKYPILOT_SERVICE_ACCOUNT_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def cloud(session: Any) -> Cloud:
    return Cloud(session=session)


@pytest.fixture(scope="session")
def session() -> Any:
    """It reads the description of EC2 once, which takes longer than most tests."""
    return boto3.session.Session("test", "test", region_name="us-east-1")


@contextmanager
def serving(answer: Callable[[web.Handler, bytes], tuple[int, Any]]) -> Iterator[str]:
    """A server of JSON on the loopback."""

    class Answering(web.Handler):
        def respond(self) -> None:
            code, values = answer(self, self.body())
            self.send_json(values, status=code)

    with web.serving(Answering) as url:
        yield url

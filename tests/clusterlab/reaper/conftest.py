"""An emulated account with a clock of its own, in which a course leaves things behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from moto import mock_aws

from clusterlab.reaper.cloud import Cloud
from clusterlab.reaper.proof import Entry, Proof
from clusterlab.reaper.reap import Order, reap
from clusterlab.tags import LEASE_FORMAT

HERE, THERE = "us-east-1", "eu-west-1"
COURSE = "llm-2026"
OTHER = "nlp-2026"
IMAGE = "ami-12c6146b"


@dataclass(kw_only=True)
class Account:
    folder: Path
    cloud: Cloud
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    slept: list[float] = field(default_factory=list)
    on_sleep: Callable[[], object] = lambda: None

    def __post_init__(self) -> None:
        self.keep({"keep": "nothing"})
        self.cloud.client("sts", HERE).meta.events.register("after-call.sts", self._tell_the_time)
        self.cloud.client("ec2", HERE).meta.events.register("after-call.ec2.DescribeRegions", _few_regions)

    def ec2(self, region: str = HERE) -> Any:
        return self.cloud.session.client("ec2", region)

    def later(self, **much: float) -> None:
        self.now += timedelta(**much)

    def keep(self, document: dict[str, Any]) -> None:
        (self.folder / "keep.json").write_text(json.dumps(document))

    def tags(self, hours: float | None = -1, course: str = COURSE, **more: str) -> dict[str, str]:
        """A launch's tags, with a lease that ends in so many hours."""
        tags = {"course": course, "lab": "qlora", "student": "ana", "run": "r1"}
        if hours is not None:
            tags["lease-until"] = (self.now + timedelta(hours=hours)).strftime(LEASE_FORMAT)
        return tags | more

    def launch(self, tags: dict[str, str] | None = None, count: int = 1, region: str = HERE, **more: Any) -> list[str]:
        """Machines whose disks carry their tags too, and end with them."""
        tags = self.tags() if tags is None else tags
        answer = self.ec2(region).run_instances(
            ImageId=IMAGE,
            InstanceType="t3.micro",
            MinCount=count,
            MaxCount=count,
            BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 8, "DeleteOnTermination": True}}],
            **tagged("instance", tags, "volume"),
            **more,
        )
        return [each["InstanceId"] for each in answer["Instances"]]

    def state(self, instance: str, region: str = HERE) -> str:
        (found,) = self.ec2(region).describe_instances(InstanceIds=[instance])["Reservations"]
        return str(found["Instances"][0]["State"]["Name"])

    def order(self, **more: Any) -> Order:
        places = {name: str(self.folder / f"{name}.json") for name in ("keep", "state", "proof")}
        settings: dict[str, Any] = {"courses": [COURSE], "yes": True, **places} | more
        return Order(**settings)

    def reap(self, **more: Any) -> Proof:
        def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            self.on_sleep()

        return reap(self.order(**more), self.cloud, clock=lambda: self.now, sleep=sleep)

    def reap_to_the_end(self, **more: Any) -> Proof:
        """Warn, stop, and end, each when it is due."""
        self.reap(**more)
        self.later(minutes=10)
        self.reap(**more)
        self.later(hours=24)
        return self.reap(**more)

    def answer(self, service: str, operation: str, code: str, *, region: str = HERE, times: int = 10**6) -> list[str]:
        """Have the next calls of an operation fail, and count them."""
        met: list[str] = []

        def send(request: Any, **_: Any) -> AWSResponse | None:
            if len(met) >= times:
                return None
            met.append(code)
            response = _error(request, code)
            # moto answers too, and would do what is refused here, if it knew the address.
            request.url = "https://refused.invalid/"
            return response

        events = self.cloud.client(service, region).meta.events
        events.register_first(f"before-send.{service}.{operation}", send)
        return met

    def _tell_the_time(self, parsed: dict[str, Any], **_: Any) -> None:
        parsed["ResponseMetadata"]["HTTPHeaders"]["date"] = format_datetime(self.now, usegmt=True)


def _few_regions(parsed: dict[str, Any], **_: Any) -> None:
    """An account that can use two; moto has 38, and as many to ask."""
    parsed["Regions"] = [each for each in parsed["Regions"] if each["RegionName"] in (HERE, THERE)]


class _Raw:
    def __init__(self, body: bytes) -> None:
        self.body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.body


def _error(request: Any, code: str) -> AWSResponse:
    status = 503 if "Limit" in code else 403
    body = f"<Response><Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors></Response>"
    return AWSResponse(request.url, status, {}, _Raw(body.encode()))


def tagged(kind: str, tags: dict[str, str], *kinds: str) -> dict[str, Any]:
    """The argument by which EC2 tags what it makes; it takes no empty one."""
    each = [{"ResourceType": name, "Tags": pairs(tags)} for name in (kind, *kinds)]
    return {"TagSpecifications": each} if tags else {}


def pairs(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def entry(proof: Proof, name: str) -> Entry:
    (found,) = (each for each in proof.entries if each.resource.id == name)
    return found


@pytest.fixture(scope="session")
def session() -> Any:
    """It reads the description of EC2 once, which takes longer than most tests."""
    return boto3.session.Session("test", "test", region_name=HERE)


@pytest.fixture
def account(session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": HERE,
        "AWS_EC2_METADATA_DISABLED": "true",
        # Whatever moto does not catch ends at a port where nobody listens.
        "AWS_ENDPOINT_URL": "",
        "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.delenv("CLUSTERLAB_LEASE_HOURS", raising=False)
    with mock_aws():
        yield Account(folder=tmp_path, cloud=Cloud(session=session))

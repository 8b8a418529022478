"""A class that goes on: an EC2 by moto's server, a dashboard that answers as a Ray did, a ledger, and a clock."""

from __future__ import annotations

import copy
import json
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from clusterlab.catalog import Catalog
from clusterlab.cluster import Cluster
from clusterlab.course.status.sources import Sources
from clusterlab.course.status.view import View
from clusterlab.ledger.budget import Scope
from clusterlab.ledger.ledger import Ledger
from clusterlab.reaper.cloud import Cloud
from clusterlab.tags import LEASE_FORMAT
from tests.clusterlab.ledger.conftest import use
from tests.web import Handler, serving

RECORDED = json.loads(Path(__file__).with_name("ray.json").read_text())
"""What Ray 2.60's dashboard said of a node with two GPUs by `--num-gpus 2` and none in the machine: a job has one of
them, and another waits for two."""
HERE, THERE = "us-east-1", "eu-west-1"
CLASS = """
course: llm-2026
infra: [aws/us-east-1]
roster: [ana, ben, eva]
teams: {red: [ana, ben]}
mode: shared
dates: {start: 2026-09-01, end: 2026-12-18}
time_zone: Europe/Madrid
hours: ["tue 10:00-14:00", "thu 10:00-12:00"]
budget_usd: {course: 100, student: 20}
"""


@dataclass(kw_only=True)
class Dashboard:
    """A Ray's API over HTTP."""

    address: str
    answers: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(RECORDED))
    broken: int | None = None
    """The status that it answers instead."""

    @property
    def node(self) -> dict[str, Any]:
        """Its one node."""
        found: dict[str, Any] = self.answers["/nodes?view=summary"]["data"]["summary"][0]
        return found

    def measure(self, *percents: int | None) -> None:
        """Give the node real GPUs, as Ray's agent reports them (`GpuUtilizationInfo` of Ray 2.60)."""
        self.node["gpus"] = [
            {
                "index": index,
                "name": "NVIDIA L4",
                "uuid": f"GPU-{index}",
                "utilizationGpu": percent,
                "memoryUsed": 512,
                "memoryTotal": 23034,
                "processesPids": None,
                "powerMw": 16000,
                "temperatureC": 40,
            }
            for index, percent in enumerate(percents)
        ]


@dataclass(kw_only=True)
class School:
    """All of it, seen at an instant that tests move."""

    folder: Path
    dashboard: Dashboard
    url: str
    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    sources: Sources
    view: View = field(init=False)

    def __post_init__(self) -> None:
        self.view = self.fresh()

    def fresh(self) -> View:
        """As another process would look."""
        return View(
            sources=self.sources, memory=self.folder / "classes" / "gpu-looks.json", clock=lambda: self.now, seconds=120
        )

    def later(self, **much: float) -> None:
        self.now += timedelta(**much)

    def ec2(self, region: str = HERE) -> Any:
        return boto3.client("ec2", region_name=region)

    def launch(
        self, hours: float | None = 2, shape: str = "g6.xlarge", region: str = HERE, count: int = 1, **tags: str
    ) -> list[str]:
        """Machines of ana's with a lease that ends in so many hours."""
        carried = {"course": "llm-2026", "student": "ana", "lab": "qlora", "run": "r1"} | tags
        if hours is not None:
            carried["lease-until"] = (self.now + timedelta(hours=hours)).strftime(LEASE_FORMAT)
        specification = [
            {"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in carried.items()]}
            for kind in ("instance", "volume")
        ]
        found = self.ec2(region).run_instances(
            ImageId="ami-12c6146b",
            InstanceType=shape,
            MinCount=count,
            MaxCount=count,
            TagSpecifications=specification,
        )
        return [each["InstanceId"] for each in found["Instances"]]

    def address_of(self, instance: str) -> str:
        """Of a machine in its network."""
        (found,) = self.ec2().describe_instances(InstanceIds=[instance])["Reservations"]
        return str(found["Instances"][0]["PrivateIpAddress"])

    def use(self, hours: object, **changes: Any) -> None:
        """On the ledger: a machine at 1 USD an hour, until now."""
        start = self.now - timedelta(hours=float(str(hours)))
        with closing(Ledger.open(self.url, clock=lambda: self.now)) as ledger:
            ledger.record(use(None, **{"start": start} | changes))


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(moto_server: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Cloud]:
    """An account with two regions, empty."""
    names = {"AWS_ENDPOINT_URL": moto_server, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    for name, value in (names | {"AWS_DEFAULT_REGION": HERE}).items():
        monkeypatch.setenv(name, value)
    request = urllib.request.Request(f"{moto_server}/moto-api/reset", method="POST")
    urllib.request.urlopen(request, timeout=10).close()

    def cloud() -> Cloud:
        made = Cloud()
        made.client("ec2", made.home).meta.events.register("after-call.ec2.DescribeRegions", _few)
        return made

    return cloud


@pytest.fixture
def dashboard() -> Iterator[Dashboard]:
    class Answer(Handler):
        def respond(self) -> None:
            path = self.path if "view" in self.path else self.path.partition("?")[0]
            status = shown.broken or (200 if path in shown.answers else 404)
            self.send_json(shown.answers.get(path), status=status)

    with serving(Answer) as address:
        shown = Dashboard(address=address)
        yield shown


@pytest.fixture
def school(aws: Callable[[], Cloud], dashboard: Dashboard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> School:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    monkeypatch.setenv("CLUSTERLAB_LEDGER", url)
    for name in ("RAY_ADDRESS", "RAY_AUTH_TOKEN", "CLUSTERLAB_LEASE_HOURS"):
        monkeypatch.delenv(name, raising=False)
    # Nobody listens there: no server of SkyPilot's is asked, or begun.
    monkeypatch.setattr("clusterlab.course.status.skypilot.HERE", "http://127.0.0.1:9")
    (tmp_path / "llm-2026.yaml").write_text(CLASS)
    catalog = Catalog.load()
    with closing(Ledger.open(url, begin=True, clock=lambda: datetime.now(UTC) - timedelta(days=9))) as ledger:
        for scope, name, usd in ((Scope.COURSE, "llm-2026", 100), (Scope.TEAM, "red", 40), (Scope.STUDENT, "ana", 20)):
            ledger.set_cap(scope, name, Decimal(usd))
    cluster = Cluster.load(tmp_path / "llm-2026.yaml", catalog=catalog)
    sources = Sources(cluster=cluster, catalog=catalog, rays=(dashboard.address,), cloud=aws)
    return School(folder=tmp_path, dashboard=dashboard, url=url, sources=sources)


def _few(parsed: dict[str, Any], **_: Any) -> None:
    parsed["Regions"] = [each for each in parsed["Regions"] if each["RegionName"] in (HERE, THERE)]

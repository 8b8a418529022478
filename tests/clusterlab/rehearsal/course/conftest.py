"""A class in the middle of its rehearsal: its students' machines are there, by name only, and nothing computes."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from clusterlab.catalog import Catalog
from clusterlab.ledger.budget import Scope
from clusterlab.ledger.ledger import Ledger
from clusterlab.reaper.cloud import Cloud
from clusterlab.rehearsal.backend import set_clock
from clusterlab.rehearsal.client import SkyPilot
from clusterlab.rehearsal.cloud import EmulatedCloud, _Gate, _quiet_handler
from clusterlab.rehearsal.course.clock import Clock
from clusterlab.rehearsal.course.course import Course
from clusterlab.rehearsal.course.roles import Roles
from clusterlab.rehearsal.course.sweeping import write_keep
from clusterlab.rehearsal.course.tasks import PROJECT, copy_lab, move_class
from clusterlab.rehearsal.prices import emulated
from clusterlab.tags import LEASE_FORMAT
from tests.clusterlab.conftest import ROOT

HERE = "us-east-1"
LEASE = timedelta(hours=12)


class Powerless(EmulatedCloud):
    """A cloud whose machines have no power: what happens to them is noted, and no host boots."""

    def _boot(self, instance_id: str) -> None:
        del instance_id

    _halt = _end = _boot


@pytest.fixture
def clock() -> Iterator[Clock]:
    yield Clock()
    set_clock(lambda: datetime.now(UTC))


@pytest.fixture
def cloud(clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedCloud]:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    cloud = Powerless(folder=tmp_path, layers=(), cache=tmp_path, clock=clock.now)
    gate = _Gate(cloud=cloud, app=DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, gate, threaded=True, request_handler=_quiet_handler(clock.now))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "true")
    _empty()
    set_clock(clock.now)
    for key, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": HERE,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(key, value)
    yield cloud
    server.shutdown()
    thread.join()
    server.server_close()
    _empty()


def _empty() -> None:
    """Take everything out of the account, which all tests of this process have.

    moto remembers an account's regions beyond its own reset, with whatever images were loaded then: so each is reset.
    """
    from moto.backends import get_backend
    from moto.core.models import DEFAULT_ACCOUNT_ID

    ec2, efs, s3 = (get_backend("ec2"), get_backend("efs"), get_backend("s3"))
    for account, region in ((ec2, HERE), (efs, HERE), (s3, "aws")):
        account[DEFAULT_ACCOUNT_ID][region].reset()


@pytest.fixture
def course(cloud: EmulatedCloud, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Course]:
    # moto's accounts have all of AWS's regions, and to look at each takes seconds.
    monkeypatch.setattr(Cloud, "regions", lambda *_: (HERE,))
    # Nothing listens there: no SkyPilot of this machine is asked to end anything.
    monkeypatch.setenv("SKYPILOT_API_SERVER_ENDPOINT", "http://127.0.0.1:1")
    cluster = move_class(ROOT / "clusters" / "demo.yaml", tmp_path / "class", clock.now().date())
    labs = {each.lab: copy_lab(each.lab, cluster.course, ROOT, tmp_path / "tasks") for each in cluster.labs}
    with closing(Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}", begin=True, clock=clock.now)) as ledger:
        ledger.set_cap(Scope.COURSE, "demo", cluster.budget.course_usd or pytest.fail("no budget"))
        for student in cluster.students():
            ledger.set_cap(Scope.STUDENT, student, cluster.budget.student_usd or pytest.fail("no budget"))
        made = Course(
            root=ROOT,
            out=tmp_path,
            cluster=cluster,
            roles=Roles.of(cluster.students(), path="x"),
            labs=labs,
            project=copy_lab(PROJECT, cluster.course, ROOT, tmp_path / "tasks"),
            console=Console(file=io.StringIO()),
            sky=SkyPilot(home=tmp_path, root=ROOT, log=tmp_path / "sky.log", variables={}),
            cloud=cloud,
            clock=clock,
            catalog=emulated(Catalog.load()),
            ledger=ledger,
        )
        write_keep(made)
        yield made


def launch(course: Course, student: str, shape: str = "g6.xlarge", *, spot: bool = False) -> str:
    """A machine of a student's, as a launch makes it."""
    import boto3

    tags = {"course": "demo", "lab": "qlora", "student": student, "run": f"run-{student}"}
    tags["lease-until"] = (course.clock.now() + LEASE).strftime(LEASE_FORMAT)
    given = [{"Key": key, "Value": value} for key, value in tags.items()]
    ec2: Any = boto3.client("ec2")
    made = ec2.run_instances(
        ImageId=ec2.describe_images()["Images"][0]["ImageId"],
        InstanceType=shape,
        MinCount=1,
        MaxCount=1,
        UserData=base64.b64encode(b"#cloud-config").decode(),
        BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 100, "VolumeType": "gp3"}}],
        **({"InstanceMarketOptions": {"MarketType": "spot"}} if spot else {}),
        TagSpecifications=[{"ResourceType": kind, "Tags": given} for kind in ("instance", "volume")],
    )
    return str(made["Instances"][0]["InstanceId"])

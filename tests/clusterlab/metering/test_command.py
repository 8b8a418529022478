from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner, Result

from clusterlab.cli import app
from clusterlab.cost.interval import Source
from clusterlab.ledger.ledger import Ledger
from tests.clusterlab.metering.conftest import TAGS, sighting


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """A ledger, and an AWS account that moto plays, with one machine of the course."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "CLUSTERLAB_LEDGER": url}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "true")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    Ledger.open(url, begin=True).close()
    carried = [{"Key": key, "Value": value} for key, value in TAGS.items()]
    with mock_aws():
        boto3.client("ec2", region_name="us-east-1").run_instances(
            ImageId="ami-12c6146b",
            MinCount=1,
            MaxCount=1,
            InstanceType="g6.xlarge",
            TagSpecifications=[{"ResourceType": "instance", "Tags": carried}],
        )
        yield url


def meter(*options: str) -> Result:
    return CliRunner().invoke(app, ["meter", "--course", "llm-2026", *options])


def test_what_runs_is_put_on_the_ledger(url: str) -> None:
    result = meter("--aws", "us-east-1")
    assert result.exit_code == 0, result.output
    assert "ec2: 1 begun, 0 ended, 1 in use" in result.output
    with closing(Ledger.open(url)) as ledger:
        assert [each.student for each in ledger.intervals()] == ["ana"]


def test_what_has_become_more_than_it_reserved_is_held(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'older.db'}"
    monkeypatch.setenv("CLUSTERLAB_LEDGER", url)
    began = datetime.now(UTC) - timedelta(hours=5)
    with closing(Ledger.open(url, begin=True, clock=lambda: began)) as ledger:
        ledger.record(
            sighting(resource_id="pod-1", tags=TAGS | {"student": "ben", "run": "r2"}).interval(
                Source.SKY, start=began, end=None
            )
        )
        assert [each.held_usd for each in ledger.uses()] == [0]
    assert meter("--aws", "us-east-1").exit_code == 0
    with closing(Ledger.open(url)) as ledger:
        held = {each.student: each.held_usd for each in ledger.uses()}
    assert held["ben"] >= 5


def test_json_has_each_source_and_what_changed(url: str) -> None:
    del url
    document = json.loads(meter("--aws", "us-east-1", "--json").stdout)
    [seen] = document["sources"]
    assert (seen["source"], [each["shape"] for each in seen["begun"]]) == ("ec2", ["g6.xlarge"])


def test_a_pool_s_machines_are_divided_and_a_ray_that_is_silent_is_told(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del url
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:1")
    result = meter("--aws", "us-east-1", "--pool", "r1")
    assert result.exit_code == 1
    assert "ec2: 0 begun" in result.output
    assert "http://127.0.0.1:1/api/jobs/: " in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "meter: nobody to ask; allowed: --aws REGION, --sky, --slurm FILE"),
        (("--pool", "r1", "--sky"), "--pool: needs --aws with the region of its machines"),
        (
            ("--pool", "r1", "--aws", "us-east-1"),
            "RAY_ADDRESS: not set; allowed: the pool's dashboard, http://host:port",
        ),
        (("--slurm", "nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_what_cannot_be_asked_is_refused(url: str, options: tuple[str, ...], message: str) -> None:
    del url
    result = meter(*options)
    assert result.exit_code == 2
    assert message in result.output


def test_without_a_ledger_there_is_nothing_to_meter_into(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    del url
    monkeypatch.delenv("CLUSTERLAB_LEDGER")
    assert meter("--aws", "us-east-1").exit_code == 2

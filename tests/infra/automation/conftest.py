"""A `pulumi` on PATH that is not Pulumi's, and a cloud on the loopback for it and for who looks what it left."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer

from clusterlab.reaper.cloud import Cloud

ROOT = Path(__file__).parents[3]
COURSE = "llm-2026"
HERE, THERE = "us-east-1", "eu-west-1"
TAGS = {"course": COURSE, "lab": "infra", "lease-until": "20261225t000000z"}
INSTANCE = "aws:ec2/instance:Instance"
WRAPPER = """#!/bin/sh
# What is asked each time, at once.
[ "$1" = version ] && echo v3.272.0 && exit
[ "$2 $3" = "stack select" ] && [ -e "$FAKE_PULUMI/$5.json" ] && exit
exec {python} {fake} "$@"
"""
DISK = {"volumeType": "gp3", "volumeSize": 73}


OUTPUTS = {"aws_vpc_name": "clusterlab-llm-2026", "aws_remote_identity": "r", "aws_security_group_name": "s"}


def machine(name: str, shape: str = "g4dn.xlarge") -> dict[str, Any]:
    inputs = {"instanceType": shape, "tags": TAGS, "rootBlockDevice": DISK}
    return {"type": INSTANCE, "name": name, "inputs": inputs}


def network(name: str = "network") -> dict[str, Any]:
    return {"type": "aws:ec2/vpc:Vpc", "name": name, "inputs": {"cidrBlock": "10.60.0.0/16"}}


@dataclass(kw_only=True)
class Engine:
    """The fake's folder."""

    folder: Path
    file: Path
    """The class's."""
    root: Path
    """A repository in which `up` may write."""

    def export(self, **outputs: Any) -> None:
        (self.folder / "outputs.json").write_text(json.dumps(OUTPUTS | outputs))

    def plan(self, *resources: dict[str, Any]) -> None:
        (self.folder / "plan.json").write_text(json.dumps(resources))

    def fault(self, name: str) -> None:
        (self.folder / "fault").write_text(name)

    def calls(self, verb: str) -> list[list[str]]:
        lines = (self.folder / "calls.jsonl").read_text().splitlines()
        return [call for call in map(json.loads, lines) if verb in call]

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / f"{COURSE}.json").read_text())["deployment"]
        return found

    def save(self, deployment: dict[str, Any]) -> None:
        text = json.dumps({"version": 3, "deployment": deployment})
        (self.folder / f"{COURSE}.json").write_text(text)


def _in_aws(text: str) -> str:
    """A class's file for two students and AWS alone: in Google Cloud these tests have no account."""
    values = {key: value for key, value in yaml.safe_load(text).items() if key not in ("gcp", "instances")}
    return yaml.safe_dump(values | {"infra": ["aws/us-east-1"], "roster": ["ana", "ben"]}, sort_keys=False)


def _repository(root: Path) -> Path:
    """This one, by links, but for what `up` writes."""
    root.mkdir()
    for path in ROOT.iterdir():
        if path.name not in (".sky.yaml", "classes", ".git"):
            (root / path.name).symlink_to(path)
    (root / ".sky.yaml").write_text((ROOT / ".sky.yaml").read_text())
    return root


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    folder = tmp_path / "engine"
    (folder / "bin").mkdir(parents=True)
    cli = folder / "bin" / "pulumi"
    fake = Path(__file__).with_name("fake_pulumi.py")
    cli.write_text(WRAPPER.format(python=shlex.quote(sys.executable), fake=shlex.quote(str(fake))))
    cli.chmod(0o755)
    file = tmp_path / f"{COURSE}.yaml"
    file.write_text(_in_aws((ROOT / "clusters" / f"{COURSE}.yaml").read_text()))
    found = Engine(folder=folder, file=file, root=_repository(tmp_path / "repository"))
    found.plan(network())
    found.export()
    for name, value in {
        "FAKE_PULUMI": str(folder),
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_BACKEND_URL": f"file://{folder}",
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_HOME": str(folder / "home"),
        "COLUMNS": "200",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PULUMI_ACCESS_TOKEN", raising=False)
    monkeypatch.chdir(found.root)
    return found


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    running = ThreadedMotoServer(port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def cloud(server: str, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """An account with two regions, empty."""
    import urllib.request

    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": HERE,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    urllib.request.urlopen(urllib.request.Request(f"{server}/moto-api/reset", method="POST")).close()
    return two_regions()


def two_regions() -> Cloud:
    """moto has 38 regions, and as many to ask."""
    found = Cloud(session=boto3.session.Session(region_name=HERE))
    found.client("ec2", HERE).meta.events.register("after-call.ec2.DescribeRegions", _leave_two)
    return found


def _leave_two(parsed: dict[str, Any], **_: Any) -> None:
    parsed["Regions"] = [each for each in parsed["Regions"] if each["RegionName"] in (HERE, THERE)]

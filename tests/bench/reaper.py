"""Measure the reaper on an emulated EC2: machines swept and terminated, against bare boto3 in batches.

python -m tests.bench reaper

Runs where moto is, in `.venv/sky`; the cloud is moto's server on the loopback, emptied before each turn.
"""

from __future__ import annotations

import json
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.bench.figure import Figure, from_control

NUM_MACHINES = 2000
NUM_PAIRS = 3
BATCH = 500
REGION = "us-east-1"
TAGS = {"course": "llm-2026", "lab": "qlora", "student": "ana", "run": "r1", "lease-until": "20260101t000000z"}


def reaper() -> list[Figure]:
    """The sweep that terminates a whole class, and bare boto3 that does no more than that, in turn."""
    return from_control("tests.bench.reaper", NUM_MACHINES, NUM_PAIRS)


def measured_on_moto(measure: Callable[[int, int], list[dict[str, Any]]]) -> None:
    """Measure with so many machines and pairs as are typed, on a server of moto's, and print the figures as JSON."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    _find_tags_at_once()
    num_machines, num_pairs = map(int, sys.argv[1:])
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
    }
    try:
        print(json.dumps(measure(num_machines, num_pairs)))
    finally:
        server.stop()


def _find_tags_at_once() -> None:
    """Let moto look a resource's tags up: it searches those of the whole account for each, a minute for 2,000."""
    from moto.ec2.models.core import TaggedEC2Resource
    from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix

    def get_tags(resource: Any) -> list[dict[str, str]]:
        if not resource.id:
            return []
        kind = EC2_PREFIX_TO_RESOURCE.get(get_prefix(resource.id), "")
        found = resource.ec2_backend.tags.get(resource.id, {})
        return [
            {"resource_id": resource.id, "key": key, "value": value, "resource_type": kind}
            for key, value in found.items()
        ]

    TaggedEC2Resource.get_tags = get_tags  # type: ignore[method-assign, assignment]  # in moto's place, on purpose


def _figures(num_machines: int, num_pairs: int) -> list[dict[str, Any]]:
    found = [(_swept(num_machines), bare(num_machines)) for _ in range(num_pairs)]
    what = f"`clusterlab reap` of {num_machines:,} machines against bare boto3 in batches (emulated EC2)"
    return [over_bare(what, "the sweep", found)]


def over_bare(what: str, whose: str, found: list[tuple[float, float]]) -> dict[str, Any]:
    """Our seconds over those of bare boto3, which are second in each pair."""
    ratios = [mine / theirs for mine, theirs in found]
    ratio, seconds = statistics.median(ratios), statistics.median(mine for mine, _ in found)
    pairs = f"{min(ratios):.2f} to {max(ratios):.2f} in {len(found)} pairs; {whose} takes {seconds:.1f} s"
    return {
        "what": what,
        "measured": f"{ratio:.2f} ({pairs})",
        "wanted": "at most 1.5",
        "met": ratio <= 1.5,
    }


def _swept(num_machines: int) -> float:
    """Seconds of the sweep whose turn it is to end them: every kind looked for, papers and proof written."""
    from clusterlab.reaper.cloud import Cloud
    from clusterlab.reaper.reap import Order, reap

    launch(num_machines)
    with tempfile.TemporaryDirectory(prefix="reaper-") as folder:
        keep, state, proof = (Path(folder) / f"{name}.json" for name in ("keep", "state", "proof"))
        keep.write_text('{"keep": "nothing"}')
        order = Order(
            courses=["llm-2026"],
            keep=str(keep),
            state=str(state),
            proof=str(proof),
            yes=True,
            regions=[REGION],
            grace_hours=0,
        )
        reap(order, Cloud())
        _an_hour_later(state)
        began = time.perf_counter()
        found = reap(order, Cloud())
        seconds = time.perf_counter() - began
    if not found.proven or sum(entry.resource.kind == "instance" for entry in found.entries) != num_machines:
        raise RuntimeError(f"left: {[str(entry.resource) for entry in found.left[:5]]}; {found.faults[:5]}")
    return seconds


def bare(num_machines: int, begin: Callable[[int], None] | None = None) -> float:
    """Seconds of the least that does it: list machines and disks by tag in large pages, terminate, list again."""
    import boto3

    (begin or launch)(num_machines)
    began = time.perf_counter()
    ec2 = boto3.session.Session().client("ec2")
    ids, disks = _listed(ec2)
    for start in range(0, len(ids), BATCH):
        ec2.terminate_instances(InstanceIds=ids[start : start + BATCH])
    left = _listed(ec2)
    seconds = time.perf_counter() - began
    if left != ([], []) or {len(ids), len(disks)} != {num_machines}:
        raise RuntimeError(f"{len(ids)} machines and {len(disks)} disks were found; left: {left}")
    return seconds


def _listed(ec2: Any) -> tuple[list[str], list[str]]:
    ours = {"Name": "tag:course", "Values": ["llm-2026"]}
    states = ["pending", "running", "shutting-down", "stopping", "stopped"]
    filters = [ours, {"Name": "instance-state-name", "Values": states}]
    machines, size = ec2.get_paginator("describe_instances"), {"PageSize": 1000}
    pages = machines.paginate(Filters=filters, PaginationConfig=size)
    reservations = (reservation for page in pages for reservation in page["Reservations"])
    disks = ec2.get_paginator("describe_volumes").paginate(Filters=[ours], PaginationConfig=size)
    return (
        [each["InstanceId"] for reservation in reservations for each in reservation["Instances"]],
        [each["VolumeId"] for page in disks for each in page["Volumes"]],
    )


def launch(num_machines: int, batch: int = BATCH) -> None:
    """A new account with so many machines, whose disks end with them; each batch of them is a run of its own."""
    import urllib.request

    import boto3

    reset = urllib.request.Request(f"{os.environ['AWS_ENDPOINT_URL']}/moto-api/reset", method="POST")
    urllib.request.urlopen(reset).close()
    ec2 = boto3.client("ec2")
    for start in range(0, num_machines, batch):
        count = min(batch, num_machines - start)
        tags = [{"Key": key, "Value": value} for key, value in (TAGS | {"run": f"r{start}"}).items()]
        ec2.run_instances(
            ImageId="ami-12c6146b",
            InstanceType="t3.micro",
            MinCount=count,
            MaxCount=count,
            BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 8, "DeleteOnTermination": True}}],
            TagSpecifications=[{"ResourceType": "instance", "Tags": tags}, {"ResourceType": "volume", "Tags": tags}],
        )


def _an_hour_later(state: Path) -> None:
    """As if the first scan had been an hour ago."""
    document = json.loads(state.read_text())
    for sighting in document["sightings"].values():
        sighting["over"] = (datetime.fromisoformat(sighting["over"]) - timedelta(hours=1)).isoformat()
    state.write_text(json.dumps(document))


if __name__ == "__main__":
    measured_on_moto(_figures)

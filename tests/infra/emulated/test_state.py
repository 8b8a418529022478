"""A program that was killed goes on from its state, and makes nothing twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pulumi_aws as aws
import pytest

from clusterlab.errors import InputError
from infra.emulated.apply import apply
from infra.emulated.resource import Made
from infra.emulated.state import State, read
from tests.infra.emulated.conftest import HERE
from tests.repository import ROOT

KILLED = """
import sys
from pathlib import Path
from infra.emulated.resource import Made
from infra.emulated.state import State

state = State.load(Path(sys.argv[1]), cut_off="b")
for key in ("a 1", "b 2", "c 3"):
    state.keep(key, lambda: Made(id=key))
"""


def test_who_is_killed_between_the_cloud_and_the_state_leaves_one_that_only_the_cloud_knows(tmp_path: Path) -> None:
    path = tmp_path / "state"
    code = subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=ROOT, check=False).returncode
    assert code == -signal.SIGKILL
    assert list(read(path)) == [("a 1", None), ("a 1", Made(id="a 1")), ("b 2", None)]
    assert State.load(path).made == {"a 1": Made(id="a 1")}


def test_a_program_that_goes_on_makes_only_what_is_not_there(session: Any, tmp_path: Path) -> None:
    def half() -> None:
        aws.ec2.Vpc("network", cidr_block="10.9.0.0/16", tags={"course": "state"})

    def whole() -> None:
        vpc = aws.ec2.Vpc("network", cidr_block="10.9.0.0/16", tags={"course": "state"})
        aws.ec2.Subnet("subnet", vpc_id=vpc.id, cidr_block="10.9.1.0/24", tags={"course": "state"})

    path = tmp_path / "state"
    apply(half, region=HERE, state=State.load(path))
    again = State.load(path)
    apply(whole, region=HERE, state=again)
    assert again.adopted == 1
    ours = [{"Name": "tag:course", "Values": ["state"]}]
    [vpc] = session.client("ec2").describe_vpcs(Filters=ours)["Vpcs"]
    [subnet] = session.client("ec2").describe_subnets(Filters=ours)["Subnets"]
    assert subnet["VpcId"] == vpc["VpcId"]


def test_a_state_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_text('{"resource"')
    with pytest.raises(InputError, match=r"state: no state of a program"):
        State.load(path)

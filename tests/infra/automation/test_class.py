"""`clusterlab class` from the class's file to an empty account, interrupted on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from typer.testing import CliRunner

from clusterlab.cli import app
from clusterlab.course import reached
from clusterlab.course.ending import command as ending
from clusterlab.errors import EXIT_INTERRUPTED
from clusterlab.reaper.cloud import Cloud
from tests.infra.automation.conftest import COURSE, HERE, ROOT, TAGS, THERE, Engine, machine, network

SCRIPT = (
    "from clusterlab.course import reached; from clusterlab.cli import app; "
    "from tests.infra.automation.conftest import two_regions; reached.aws = two_regions; app()"
)
GPUS = [machine(f"gpu-{number}") for number in range(7)]


@pytest.fixture(autouse=True)
def _reach(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reached, "aws", lambda: cloud)
    monkeypatch.setattr(ending, "sleep", lambda _: None)
    monkeypatch.delenv("CLUSTERLAB_LEDGER", raising=False)
    # Nobody listens there: no SkyPilot of this machine is asked.
    monkeypatch.setenv("SKYPILOT_API_SERVER_ENDPOINT", "http://127.0.0.1:9")


def invoke(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["class", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def down(engine: Engine, *arguments: str) -> tuple[int, str]:
    return invoke("down", engine.file, "--proof", engine.folder / "proof.json", *arguments)


def alive(region: str = HERE) -> list[dict[str, Any]]:
    answer = boto3.client("ec2", region).describe_instances()["Reservations"]
    found = [each for reservation in answer for each in reservation["Instances"]]
    return [each for each in found if each["State"]["Name"] != "terminated"]


def launch(region: str = HERE, **tags: str) -> str:
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    specifications = [{"ResourceType": kind, "Tags": pairs} for kind in ("instance", "volume")]
    answer = boto3.client("ec2", region).run_instances(
        ImageId="ami-12c6146b", InstanceType="m5.large", MinCount=1, MaxCount=1, TagSpecifications=specifications
    )
    return str(answer["Instances"][0]["InstanceId"])


def running_up(engine: Engine) -> subprocess.Popen[str]:
    """`class up` as a process of its own, so that a signal is a real one."""
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "class", "up", str(engine.file), "--yes"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def num_known(engine: Engine) -> int:
    """How many resources are in the state, which somebody may be writing just now."""
    try:
        return len(engine.state["resources"])
    except ValueError:
        return 0


def test_preview_has_dollars_an_hour_beside_each_resource(engine: Engine) -> None:
    engine.plan(network(), machine("server", "m5.large"), {"type": "aws:ec2/eip:Eip", "name": "address", "inputs": {}})
    code, out = invoke("preview", engine.file)
    assert code == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "create aws:ec2/instance:Instance server 0.1040 1 x m5.large + 73 GB gp3" in lines
    assert "create aws:ec2/eip:Eip address unknown not in the catalog" in lines
    assert "create aws:ec2/vpc:Vpc network" in lines
    assert "0.10 incomplete USD an hour when all is made" in lines


def test_preview_as_json(engine: Engine) -> None:
    engine.plan(machine("server", "m5.large"))
    code, out = invoke("preview", engine.file, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["changes"][0]["usd_per_hour"].startswith("0.104")
    assert found["per_hour"]["complete"] is True
    assert found["orphans"] == []


def test_up_makes_it_and_config_tells_skypilot(engine: Engine, tmp_path: Path) -> None:
    exports = {"aws_vpc_name": "v", "aws_remote_identity": "r", "aws_security_group_name": "s"}
    (engine.folder / "outputs.json").write_text(json.dumps(exports))
    code, out = invoke("up", engine.file, "--yes")
    assert (code, f"class {COURSE} is up" in out) == (0, True), out
    path = tmp_path / "config.yaml"
    assert invoke("config", engine.file, "--write", path)[0] == 0
    assert yaml.safe_load(path.read_text())["aws"]["vpc_name"] == "v"


def test_up_twice_says_of_each_step_that_there_was_nothing_to_do(engine: Engine) -> None:
    engine.plan(network(), *GPUS[:1])
    _, out = invoke("up", engine.file, "--yes")
    assert "stack: 2 changed" in out
    assert "students: 2 new: ana, ben" in out
    code, out = invoke("up", engine.file, "--yes")
    assert code == 0
    for step in ("stack", "skypilot", "budget", "students", "clusters"):
        assert f"{step}: nothing to do" in out.splitlines()
    assert len(alive()) == 1


def test_up_killed_among_its_resources_goes_on_and_doubles_nothing(engine: Engine) -> None:
    """Pulumi, in a session of its own, ends what is under way and writes its state, whoever listened."""
    engine.plan(*GPUS[:2])
    engine.fault("slow")
    with running_up(engine) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if line.startswith("done"))
        process.kill()
    assert process.returncode == -signal.SIGKILL
    while num_known(engine) < 2:
        time.sleep(0.05)
    engine.fault("")
    code, out = invoke("up", engine.file, "--yes")
    assert (code, "the last bring-up ended in `stack`; this one goes on from there" in out) == (0, True)
    assert "stack: nothing to do" in out
    assert "students: 2 new: ana, ben" in out
    assert len(alive()) == 2


def test_up_without_anybody_to_ask_does_nothing(engine: Engine) -> None:
    code, out = invoke("up", engine.file)
    assert (code, "--yes: missing" in out) == (2, True)
    assert engine.state["resources"] == []


def test_killed_update_is_found_by_tag_and_ended(engine: Engine) -> None:
    """As in groundlight/edge-endpoint #421: seven GPU machines of which no state knew, for 431 days."""
    engine.plan(*GPUS)
    engine.fault("killed")
    code, out = invoke("up", engine.file, "--yes")
    assert code == 1
    assert "7 x" not in out
    assert len(alive()) == 7
    assert engine.state["resources"] == []

    engine.fault("")
    code, out = invoke("up", engine.file, "--yes")
    assert code == 1
    named = [line for line in out.splitlines() if "g4dn.xlarge, running" in line]
    assert sorted(each["InstanceId"] for each in alive()) == sorted(line.split()[2] for line in named)
    assert all("0.5260 USD/h" in line for line in named)
    assert "USD an hour" in out
    assert f"clusterlab reap --course {COURSE}" in out
    assert len(alive()) == 7

    code, out = down(engine, "--yes")
    assert (code, alive()) == (0, [])
    assert f"nothing of class {COURSE} is left in AWS" in out


def test_what_the_update_left_is_told_at_once(engine: Engine) -> None:
    engine.plan(*GPUS[:1])
    engine.fault("killed")
    _, out = invoke("up", engine.file, "--yes")
    assert alive()[0]["InstanceId"] in out
    assert f"`clusterlab class up {engine.file}` goes on from here" in out


def test_what_the_state_knows_is_no_orphan(engine: Engine) -> None:
    engine.plan(*GPUS[:1])
    assert invoke("up", engine.file, "--yes")[0] == 0
    code, out = invoke("preview", engine.file)
    assert (code, "not in the state" in out) == (0, False)


def test_student_s_machine_is_in_nobody_s_way_until_the_class_ends(engine: Engine) -> None:
    student = launch(**TAGS, student="ana", run="r1")
    other = launch(course="nlp-2026")
    assert invoke("up", engine.file, "--yes")[0] == 0
    code, out = down(engine, "--yes")
    assert (code, student in out) == (0, True)
    assert [each["InstanceId"] for each in alive()] == [other]


def test_orphan_in_another_region_is_found(engine: Engine) -> None:
    lost = launch(THERE, **TAGS)
    code, out = invoke("up", engine.file, "--yes")
    assert (code, f"{THERE}  instance {lost}" in out) == (1, True)
    assert invoke("up", engine.file, "--yes", "--leave-orphans")[0] == 0
    assert len(alive(THERE)) == 1


def test_down_without_yes_ends_nothing(engine: Engine) -> None:
    lost = launch(**TAGS)
    code, out = down(engine)
    assert (code, lost in out) == (2, True)
    assert len(alive()) == 1


def test_down_exits_with_1_while_something_is_left(engine: Engine) -> None:
    lost = launch(**TAGS)
    boto3.client("ec2").modify_instance_attribute(InstanceId=lost, DisableApiTermination={"Value": True})
    code, out = down(engine, "--yes")
    assert code == 1
    assert "OperationNotPermitted" in out
    assert f"left  {HERE}  instance {lost}" in out
    assert f"class {COURSE} is not ended: 2 left, 0 steps failed; proof" in out


def test_pending_operation_is_told_and_repaired(engine: Engine) -> None:
    urn = f"urn:pulumi:{COURSE}::clusterlab::aws:ec2/instance:Instance::gpu-0"
    pending = {"resource": {"urn": urn, "type": "aws:ec2/instance:Instance"}, "type": "creating"}
    engine.save({"resources": [], "pending_operations": [pending]})
    code, out = invoke("up", engine.file, "--yes")
    assert (code, "cut off: creating aws:ec2/instance:Instance gpu-0" in out) == (0, True)
    assert "pending_operations" not in engine.state


def test_ctrl_c_ends_what_is_under_way_and_no_more(engine: Engine) -> None:
    engine.plan(*GPUS[:5])
    engine.fault("slow")
    lines = []
    with running_up(engine) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if line.startswith("done"):
                os.killpg(process.pid, signal.SIGINT)
                break
        lines += process.stdout
    assert process.returncode == EXIT_INTERRUPTED, "".join(lines)
    made = [each["id"] for each in engine.state["resources"]]
    # What had begun was finished, and the state knows it.
    assert 1 <= len(made) < 5
    assert sorted(each["InstanceId"] for each in alive()) == sorted(made)
    assert any("goes on from here" in line for line in lines)
    assert not any("not in the state" in line for line in lines)

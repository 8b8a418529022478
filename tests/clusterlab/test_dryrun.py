"""`sky launch --dryrun` on every lab, on an emulated AWS with our catalog's prices: no root, and no cloud."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from clusterlab import skypilot
from clusterlab.catalog import Catalog
from clusterlab.config import Scale
from clusterlab.document import Document
from clusterlab.infra import Infra, within
from clusterlab.lab import Lab, lab_paths
from clusterlab.ledger.budget import Scope
from clusterlab.ledger.ledger import Ledger
from clusterlab.plan import plan
from clusterlab.rehearsal.prices import write_skypilot_catalog
from tests.clusterlab.conftest import ROOT
from tests.needs import needs_skypilot
from tests.ports import skypilot_port

pytestmark = needs_skypilot

CATALOG = Catalog.load()
AWS = within(CATALOG, [Infra.parse("aws/us-east-1", path="infra")], path="infra")
"""Where the class of the labs may be, of the cloud that is emulated here."""
LABS = lab_paths(ROOT / "labs")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
CHOSEN = re.compile(r"^ AWS \((\S+)\) +(\S+) .* (\d+\.\d\d) +✔ *$", re.MULTILINE)
"""The line of the optimizer's table that it chose: region, machine, and price an hour to the cent."""

COMMANDS = """
import json, os, sys, tempfile
from sky.cli import cli
for line in sys.stdin:
    asked = json.loads(line)
    with tempfile.TemporaryFile() as said:
        if not (child := os.fork()):
            for number, file in ((0, open(os.devnull)), (1, said), (2, said)):
                os.dup2(file.fileno(), number)
            os.environ.update(asked["variables"])
            sys.argv = ["sky", *asked["arguments"]]
            sys.exit(cli())
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said.seek(0)
        print(json.dumps([code, said.read().decode()]), flush=True)
"""
"""Runs `sky` commands, each in a process of its own, forked from one that has imported SkyPilot: two seconds of a
processor, thirty times."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """Somebody with an AWS account that moto plays, and a SkyPilot of their own."""

    environment: dict[str, str]
    commands: subprocess.Popen[str]

    def sky(self, *arguments: str, **variables: str) -> tuple[int, str]:
        """Run a `sky` command from the repository's root, where `.sky.yaml` is: its exit code, and what it said."""
        assert self.commands.stdin
        assert self.commands.stdout
        self.commands.stdin.write(json.dumps({"arguments": arguments, "variables": variables}) + "\n")
        self.commands.stdin.flush()
        code, said = json.loads(self.commands.stdout.readline())
        return code, COLOUR.sub("", said)

    def dryrun(self, path: Path, *options: str, **variables: str) -> tuple[int, str]:
        """The same for a launch that launches nothing."""
        fixed = ("--dryrun", "--yes", "--infra", "aws", *_secrets(path))
        return self.sky("launch", str(path), *fixed, *options, **variables)


def _secrets(path: Path) -> list[str]:
    """Something for every secret that a lab asks for."""
    return [option for name in Document.load(path, []).mapping_at("secrets") for option in ("--secret", f"{name}=none")]


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    from moto.moto_api._internal.models import moto_api_backend
    from moto.server import ThreadedMotoServer

    # All tests of a process share moto's clouds, and some need theirs without images.
    moto_api_backend.reset()
    home = tmp_path_factory.mktemp("home")
    write_skypilot_catalog(CATALOG, home)
    (home / ".sky" / "config.yaml").write_text("allowed_clouds: [aws]\n")
    cloud = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    cloud.start()
    host, port = cloud.get_host_and_port()
    environment = _environment(home) | {"AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    pipe, command = subprocess.PIPE, [sys.executable, "-c", COMMANDS]
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as commands:
        account = Account(environment=environment, commands=commands)
        try:
            yield account
        finally:
            account.sky("api", "stop")
            cloud.stop()


def _environment(home: Path) -> dict[str, str]:
    return skypilot.environment(home) | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
        "SKYPILOT_API_SERVER_LOCAL_PORT": str(skypilot_port()),
        "CLUSTERLAB_STUDENT": "ana",
        # SkyPilot builds a wheel of itself for its nodes, with what is installed here.
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # the option's value and not the name's: no isolation
        "COLUMNS": "200",
    }


def launches() -> Iterator[tuple[Path, Scale]]:
    """Each lab at its own scale, and at each that asks for other accelerators than the lab's."""
    for path in LABS:
        lab = Lab.load(path)
        own = Scale(lab.envs["SCALE"])
        yield path, own
        yield from ((path, scale) for scale, planned in lab.scales.items() if planned.accelerators and scale != own)


@pytest.mark.parametrize(("path", "scale"), list(launches()), ids=lambda value: getattr(value, "stem", value))
def test_skypilot_chooses_the_machine_and_the_price_of_the_plan(account: Account, path: Path, scale: Scale) -> None:
    lab = Lab.load(path)
    other = lab.at(scale).accelerators or {}
    gpus = [option for name, count in other.items() for option in ("--gpus", f"{name}:{count}")]
    code, said = account.dryrun(path, *gpus, "--env", f"SCALE={scale}")
    assert code == 0, said
    [(region, machine, usd)] = CHOSEN.findall(said)
    estimate = plan(lab, AWS, today=date(2026, 11, 25)).at(scale)
    assert estimate
    assert f"aws {machine}" == estimate.expected.machine
    assert region == estimate.expected.region
    compute = estimate.expected.parts["compute"]
    assert compute is not None
    assert Decimal(usd) == (compute / estimate.expected.hours).quantize(Decimal("0.01"))


def test_all_labs_were_found() -> None:
    assert LABS


def test_skypilot_takes_the_bucket_that_the_policy_mounts(account: Account) -> None:
    bucket = "llm-2026-runs"
    lab = ROOT / "labs" / "qlora.yaml"
    code, said = account.dryrun(lab, CLUSTERLAB_BUCKET=bucket)
    assert code == 1, said
    assert bucket in said  # SkyPilot looked for it, and it is not there yet
    made = subprocess.run(
        ["aws", "s3", "mb", f"s3://{bucket}"], env=account.environment, capture_output=True, check=False
    )
    assert made.returncode == 0, made.stderr
    code, said = account.dryrun(lab, CLUSTERLAB_BUCKET=bucket)
    assert code == 0, said


REFUSED = {
    "accelerator": (
        ("--gpus", "K80:1"),
        "qlora: resources.accelerators: K80:1: not in the course's catalog; allowed: T4:1",
    ),
    "region": (
        ("--infra", "aws/moon-1"),
        "qlora: resources.region: 'moon-1' is not in the course's catalog; allowed: us-east-1",
    ),
    "region of another class": (
        ("--infra", "aws/us-west-2"),
        "qlora: resources.region: 'us-west-2' is not in the course's catalog; allowed: us-east-1",
    ),
    "machine": (("-t", "x9.large", "--gpus", "none"), "qlora: resources.instance_type: 'x9.large' is not in"),
    "stays": (("--idle-minutes-to-autostop", "600"), "qlora: resources.autostop.idle_minutes: 600; allowed: 0 to 60"),
    "ports": (("--ports", "8080"), "qlora: resources.ports: not allowed"),
    "env": (("--env", "STEP=3"), "qlora: envs.STEP: unknown; did you mean STEPS?"),
}


@pytest.mark.parametrize(("options", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_a_refusal_is_read_in_one_line_and_exits_non_zero(
    account: Account, options: tuple[str, ...], message: str
) -> None:
    code, said = account.dryrun(ROOT / "labs" / "qlora.yaml", *options)
    assert code == 1, said
    assert message in said
    assert "Traceback" not in said


def test_a_launch_beyond_the_budget_starts_no_machine_and_a_dry_one_reserves_nothing(
    account: Account, tmp_path: Path
) -> None:
    lab, named = ROOT / "labs" / "qlora.yaml", {"CLUSTERLAB_LEDGER": f"sqlite:///{tmp_path / 'ledger.db'}"}
    before = _launched(account)
    with closing(Ledger.open(named["CLUSTERLAB_LEDGER"], begin=True)) as ledger:
        ledger.set_cap(Scope.STUDENT, "ana", Decimal("0.50"))
        code, said = account.dryrun(lab, **named)
        assert code == 0, said
        code, said = account.sky("launch", str(lab), "--yes", "--infra", "aws", "--secret", "HF_TOKEN=none", **named)
        assert code == 1, said
        assert re.search(r"student ana: \d+\.\d\d USD asked, 0.50 of 0.50 free", said)
        assert "Traceback" not in said
        assert [budget.held_usd for budget in ledger.budgets()] == [0]
    assert _launched(account) == before


def _launched(account: Account) -> set[str]:
    """Every launch that the emulated cloud remembers; it is one for all tests of a process."""
    command = ["aws", "ec2", "describe-instances"]
    found = subprocess.run(command, env=account.environment, capture_output=True, check=True)
    return {reservation["ReservationId"] for reservation in json.loads(found.stdout)["Reservations"]}

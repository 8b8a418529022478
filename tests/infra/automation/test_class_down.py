"""`clusterlab class down` as processes of their own: with Pulumi's part kept, two at once, and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from clusterlab.ledger.budget import Scope
from clusterlab.ledger.ledger import Ledger
from clusterlab.ledger.reservation import Reservation
from clusterlab.ledger.schema import ENTRIES
from tests.infra.automation.conftest import COURSE, INSTANCE, ROOT, TAGS, Engine
from tests.infra.automation.test_class import _reach, alive, down, launch

__all__ = ["_reach"]
URN = "urn:pulumi:llm-2026::clusterlab::"
SCRIPT = (
    "import time; from clusterlab.course import reached; from clusterlab.course.ending import command as ending; "
    "from clusterlab.cli import app; from tests.infra.automation.conftest import two_regions; "
    "reached.aws = two_regions; ending.sleep = lambda seconds: time.sleep(min(seconds, 0.2)); app()"
)


def stacked(engine: Engine, count: int) -> list[str]:
    """Machines that Pulumi made, which stand in a network."""
    network: dict[str, Any] = {"urn": f"{URN}aws:ec2/vpc:Vpc::network", "type": "aws:ec2/vpc:Vpc", "custom": True}
    made = [network | {"id": "vpc-1", "outputs": {}}]
    ids = [launch(**TAGS) for _ in range(count)]
    for number, machine in enumerate(ids):
        urn = f"{URN}{INSTANCE}::gpu-{number}"
        known = {"urn": urn, "type": INSTANCE, "custom": True, "id": machine, "outputs": {"tags": TAGS}}
        made.append(known | {"dependencies": [network["urn"]]})
    engine.save({"resources": made})
    return ids


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _reach: None) -> Ledger:
    """One in which three students launched something."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    monkeypatch.setenv("CLUSTERLAB_LEDGER", url)
    found = Ledger.open(url, begin=True)
    found.set_cap(Scope.COURSE, COURSE, Decimal(100))
    for run in ("r1", "r2", "r3"):
        asked = Reservation(
            student="ana",
            team=None,
            course=COURSE,
            lab="qlora",
            run=run,
            usd=Decimal(3),
            expires=datetime.now(UTC) + timedelta(hours=12),
        )
        found.reserve(asked)
        launch(**TAGS | {"lab": "qlora"}, student="ana", run=run)
    return found


def started(engine: Engine) -> subprocess.Popen[str]:
    arguments = ["class", "down", str(engine.file), "--yes", "--proof", str(engine.folder / "proof.json")]
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def ended(engine: Engine, ledger: Ledger) -> None:
    """Nothing is left, and each run was concluded once."""
    document = json.loads((engine.folder / "proof.json").read_text())
    assert (document["proven"], document["problems"], alive()) == (True, [], [])
    assert engine.state["resources"] == []
    assert ledger.verify() is None
    with ledger.database.reading() as connection:
        rows = list(connection.execute(select(ENTRIES.c.run, ENTRIES.c.kind).order_by(ENTRIES.c.seq)))
    kinds = {run: [kind for of, kind in rows if of == run] for run in ("r1", "r2", "r3")}
    # The disks of these machines have no price, and so their runs stay open, but for what is on record of them.
    assert {run: each.count("commit") for run, each in kinds.items()} == dict.fromkeys(kinds, 1)
    assert [kind for _, kind in rows].count("close") == 1
    assert [each for each in ledger.intervals() if each.end is None] == []


def test_what_is_kept_in_the_stack_is_protected_with_what_it_stands_on(engine: Engine) -> None:
    kept, gone = stacked(engine, 2)
    keep = engine.folder / "keep.json"
    keep.write_text(json.dumps({"keep": {kept: "the demo in June"}}))
    code, out = down(engine, "--yes", "--keep", str(keep))
    assert code == 0, out
    assert f"instance {kept}: the demo in June; " in out
    assert [each["InstanceId"] for each in alive()] == [kept]
    assert {each["id"]: each.get("protect") for each in engine.state["resources"]} == {"vpc-1": None, kept: True}
    before, num_calls = (engine.folder / "proof.json").read_bytes(), len(engine.calls("destroy"))
    code, out = down(engine, "--yes", "--keep", str(keep))
    assert (code, f"class {COURSE} ended" in out, "nothing is left to do" in out) == (0, True, True)
    assert (engine.folder / "proof.json").read_bytes() == before
    assert len(engine.calls("destroy")) == num_calls
    assert gone not in out


def test_two_instructors_at_once_both_end_well(engine: Engine, ledger: Ledger) -> None:
    stacked(engine, 3)
    engine.fault("slow")
    both = [started(engine), started(engine)]
    said = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], "\n".join(said)
    ended(engine, ledger)


def test_killed_while_pulumi_is_at_it_and_then_again(engine: Engine, ledger: Ledger) -> None:
    stacked(engine, 3)
    engine.fault("slow")
    with started(engine) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("done"):
                os.kill(process.pid, signal.SIGKILL)
                break
        process.stdout.read()
    assert process.returncode == -signal.SIGKILL
    assert json.loads((engine.folder / "proof.json").read_text())["ended"] is None
    with started(engine) as again:
        assert again.stdout is not None
        said = again.stdout.read()
    assert again.returncode == 0, said
    ended(engine, ledger)

"""A class in an emulated account, with a stack, a ledger and students' machines, that comes to its end."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from clusterlab.catalog import Catalog
from clusterlab.course.ending.books import Books
from clusterlab.course.ending.clearing import Clearing
from clusterlab.course.ending.down import Down
from clusterlab.course.ending.proof import ClassProof, Paper
from clusterlab.course.ending.skypilot_clusters import Ended
from clusterlab.course.ending.taking import Taking
from clusterlab.course.events import Retained, State
from clusterlab.errors import ClusterlabError
from clusterlab.ledger.budget import Scope
from clusterlab.ledger.ledger import Ledger
from clusterlab.ledger.reservation import Reservation
from clusterlab.ledger.schema import ENTRIES
from clusterlab.metering import ec2
from clusterlab.metering.meter import meter
from clusterlab.reaper.keeplist import KeepList
from tests.clusterlab.reaper.conftest import COURSE, HERE, IMAGE, Account, account, session, tagged

__all__ = ["account", "session"]
CATALOG = Catalog.load()
DISK = {"VolumeSize": 8, "VolumeType": "gp3", "DeleteOnTermination": True}
_NUMBERS = itertools.count()


@dataclass(kw_only=True)
class Stack:
    """What Pulumi would manage, in this process."""

    account: Account
    machines: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    errors: list[ClusterlabError] = field(default_factory=list)
    """Raised one after the other in place of taking it down."""
    num_downs: int = 0

    def state(self) -> State:
        return State(exists=True, known=tuple(self.machines), kept=tuple(self.kept))

    def repair(self) -> None:
        raise AssertionError("nothing is pending")

    def down(self, keep: Iterable[str] = ()) -> list[Retained]:
        self.num_downs += 1
        if self.errors:
            raise self.errors.pop(0)
        self.kept = [each for each in self.machines if each in set(keep)]
        ended = [each for each in self.machines if each not in self.kept]
        if ended:
            self.account.cloud.client("ec2", HERE).terminate_instances(InstanceIds=ended)
        self.machines = list(self.kept)
        return [Retained(id=each, name=each, why=f"kept as {each}") for each in self.kept]


@dataclass(kw_only=True)
class Course:
    """One class, and what its end is run with."""

    account: Account
    url: str
    stack: Stack
    steps: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    on_step: Callable[[str], object] = lambda _: None
    on_sleep: Callable[[float], object] = lambda _: None
    machine_clock: Callable[[], datetime] | None = None
    regions: tuple[str, ...] = (HERE,)
    """Those that the account can use; each takes its time to look through."""

    def ledger(self) -> Ledger:
        return Ledger.open(self.url, clock=self.machine_clock or (lambda: self.account.now))

    def launch(
        self, run: str | None = None, *, region: str = HERE, student: str = "ana", reserve: str | None = "5"
    ) -> str:
        """A student's machine, whose launch the gate let pass."""
        run = run or f"r{next(_NUMBERS)}"
        if reserve is not None:
            self.reserve(run, reserve, student=student)
        return self.machine(self.account.tags(student=student, run=run), region=region)

    def machine(self, tags: dict[str, str], *, region: str = HERE) -> str:
        answer = self.account.ec2(region).run_instances(
            ImageId=IMAGE,
            InstanceType="m5.large",
            MinCount=1,
            MaxCount=1,
            BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": DISK}],
            **tagged("instance", tags, "volume"),
        )
        return str(answer["Instances"][0]["InstanceId"])

    def reserve(self, run: str, usd: str = "5", student: str = "ana") -> None:
        asked = Reservation(
            student=student,
            team=None,
            course=COURSE,
            lab="qlora",
            run=run,
            usd=Decimal(usd),
            expires=self.account.now + timedelta(hours=12),
        )
        self.ledger().reserve(asked)

    def meter(self) -> None:
        """As `clusterlab meter` does every few minutes."""
        seen = ec2.observe(
            self.account.cloud.session, CATALOG, course=COURSE, regions=self.regions, at=self.account.now
        )
        meter(self.ledger(), seen)

    def alive(self) -> list[str]:
        found = []
        for region in self.regions:
            for reservation in self.account.ec2(region).describe_instances()["Reservations"]:
                found += [each["InstanceId"] for each in reservation["Instances"] if _is_alive(each)]
        return found

    def ending(self, *, keep: dict[str, str] | None = None, books: bool = True, **changes: Any) -> Down:
        clearing = Clearing(
            cloud=self.account.cloud,
            account="123456789012",
            course=COURSE,
            regions=self.regions,
            strays={},
            catalog=CATALOG,
            began=self.account.now,
            sleep=self._sleep,
            clock=lambda: sum(self.slept),
        )
        usual: dict[str, Any] = {
            "course": COURSE,
            "clearing": clearing,
            "stack": Taking(stack=self.stack, sleep=self._sleep),
            "keep": KeepList(reasons=keep or {}),
            "books": Books(
                course=COURSE, opened=self.ledger, catalog=CATALOG, now=lambda: self.account.now, sleep=self._sleep
            )
            if books
            else None,
            "ledger_on_stack": False,
            "clusters": lambda _: Ended(),
            "paper": Paper(path=self.path),
            "age_seconds": 120.0,
            "now": lambda: self.account.now,
            "step": self._step,
        }
        return Down(**usual | changes)

    def down(self, **changes: Any) -> ClassProof | None:
        """End the class; None where there was nothing to do."""
        ending = self.ending(**changes)
        seen = ending.look()
        return None if ending.nothing_to_do(seen) is not None else ending.run(seen)

    def rows(self, run: str) -> list[str]:
        """What the ledger has of a run."""
        with self.ledger().database.reading() as connection:
            return list(connection.scalars(select(ENTRIES.c.kind).where(ENTRIES.c.run == run).order_by(ENTRIES.c.seq)))

    def check_books(self) -> None:
        """The ledger is whole, closed, and the course holds what was used."""
        ledger = self.ledger()
        assert ledger.verify() is None
        found = ledger.statement(COURSE)
        [budget] = [each for each in found.budgets if each.scope is Scope.COURSE]
        assert budget.cap_usd == 0
        assert budget.held_usd == sum((each.used.usd for each in found.uses), Decimal(0))
        assert [each for each in found.intervals if each.end is None] == []

    @property
    def path(self) -> Path:
        return self.account.folder / "classes" / COURSE / "proof.json"

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.path.read_text())
        return found

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.on_sleep(seconds)

    def _step(self, name: str) -> None:
        self.steps.append(name)
        self.on_step(name)


def _is_alive(instance: dict[str, Any]) -> bool:
    return instance["State"]["Name"] not in ("terminated", "shutting-down")


@pytest.fixture
def course(account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    # botocore waits by itself between its own tries.
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    found = Course(account=account, url=f"sqlite:///{tmp_path / 'ledger.db'}", stack=Stack(account=account))
    ledger = Ledger.open(found.url, begin=True, clock=lambda: account.now)
    ledger.set_cap(Scope.COURSE, COURSE, Decimal(500))
    ledger.close()
    return found

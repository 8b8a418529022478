"""Where a student submits: a queue, a dashboard of Ray's, and a clock that only sleeping moves."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from clusterlab.lab import Lab
from clusterlab.ledger.budget import Scope
from clusterlab.ledger.ledger import Ledger
from clusterlab.run import Run, Status
from clusterlab.submission.jobs_api import JobsApi
from clusterlab.submission.order import Order
from clusterlab.submission.queue import Queue
from clusterlab.submission.results import to_line
from clusterlab.submission.submit import Submission
from clusterlab.submission.ticket import State
from tests.clusterlab.submission.conftest import NOON
from tests.clusterlab.submission.dashboard import TOKEN, Dashboard

MANY = 1000


@dataclass
class Time:
    """Passes only where somebody sleeps; what is to happen meanwhile does, a step at each sleep."""

    seconds: float = 0
    steps: list[Callable[[], None]] = field(default_factory=list)

    num_sleeps: int = 0

    def sleep(self, seconds: float) -> None:
        self.num_sleeps += 1
        assert self.num_sleeps < MANY, "it waits for ever"
        self.seconds += seconds
        if self.steps:
            self.steps.pop(0)()
        time.sleep(0)

    def clock(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)


@dataclass
class Desk:
    """Where a student submits."""

    root: Path
    board: Dashboard
    queue: Queue
    time: Time
    said: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)

    def submission(self, student: str = "ana", **values: str) -> Submission:
        environment = {"HF_TOKEN": "hf_secret", "OTHER": "none of its business"}
        order = Order.of(Lab.load(Path("labs/echo.yaml")), student, values, environment)
        api = JobsApi.connect(self.board.address, TOKEN, seconds=20)
        return Submission(
            order=order,
            api=dataclasses.replace(api, sleep=self.time.sleep, clock=self.time.clock),
            queue=dataclasses.replace(self.queue, limits=order.cluster.limits),
            runs=Path("runs"),
            say=self.said.append,
            show=self.shown.append,
        )

    def finish(self, name: str, **changes: object) -> None:
        """Have a job succeed as `jobs.launch.execute` does."""
        self.board.end(name, logs=f"hello 1\n{self.results(name, **changes)}\n")

    def results(self, name: str, **changes: object) -> str:
        [job] = [each for each in self.board.jobs.values() if each["submission_id"] == name]
        order = self.submission(job["metadata"]["student"]).order
        record = Run(
            run_id="r",
            fingerprint=job["metadata"]["fingerprint"],
            asked=order.request.asked,
            tags=job["metadata"],
            status=Status.SUCCEEDED,
            started="2026-11-25T12:00:00Z",
            metrics={"said": 3.0},
        )
        record = dataclasses.replace(record, **changes)  # type: ignore[arg-type]
        files = {"run.json": json.dumps(dataclasses.asdict(record)).encode(), "plots/loss.png": b"\x89PNG"}
        return to_line(files)

    def state(self, name: str) -> State:
        return self.queue.ticket(name).state


def desk_at(root: Path, url: str, board: Dashboard) -> Desk:
    passing = Time()
    ledger = Ledger.open(url, begin=True, clock=passing.now)
    for student in ("ana", "ben"):
        ledger.set_cap(Scope.STUDENT, student, Decimal(10))
    cluster = Order.of(Lab.load(Path("labs/echo.yaml")), "ana", {}, {}).cluster
    queue = Queue(ledger=ledger, course="llm-2026", limits=cluster.limits)
    queue.begin()
    return Desk(root=root, board=board, queue=queue, time=passing)

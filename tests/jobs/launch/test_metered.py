"""What the meter reads from a real Ray: what a submitted job holds by tasks, actors and placement groups."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

import pytest

from clusterlab.errors import UnreachableError
from clusterlab.metering import ray
from jobs.launch.embedded import Embedded
from tests.repository import wait_until

JOB = """
import pathlib, time, ray

ray.init()

@ray.remote(num_cpus=0.25)
def task():
    time.sleep(600)

@ray.remote(num_cpus=0.25)
class Actor:
    def ready(self):
        return True

group = ray.util.placement_group([{"CPU": 0.5}])
ray.get(group.ready())
inside = ray.util.scheduling_strategies.PlacementGroupSchedulingStrategy(group)
actors = [Actor.remote(), Actor.options(scheduling_strategy=inside).remote()]
ray.get([actor.ready.remote() for actor in actors])
ray.get(task.remote())
"""


def test_a_job_s_holdings_are_read_with_its_tags(head: Embedded, tmp_path: Path) -> None:
    from ray.job_submission import JobSubmissionClient

    (tmp_path / "job.py").write_text(JOB)
    client = JobSubmissionClient(head.address, headers=head.headers)
    tags = {"student": "ana", "lab": "qlora"}
    job = client.submit_job(
        entrypoint=f"{sys.executable} {tmp_path / 'job.py'}", metadata=tags, entrypoint_num_cpus=0.1
    )
    try:
        # The entrypoint's, a task's, an actor's, and a placement group's with the actor in it.
        wanted = Decimal("0.1") + Decimal("0.25") + Decimal("0.25") + Decimal("0.5")
        wait_until(lambda: _held(head).get(job, (None, None))[0] == wanted, seconds=120)
        assert _held(head)[job][1] == tags
    finally:
        client.stop_job(job)
    wait_until(lambda: job not in _held(head), seconds=60)


def test_a_ray_that_wants_a_token_is_told_of_as_one_that_does_not_answer(head: Embedded) -> None:
    with pytest.raises(UnreachableError, match=r"/api/jobs/: answers 40[13]"):
        ray.ask(head.address, "wrong")


def _held(head: Embedded) -> dict[str, tuple[Decimal, dict[str, str]]]:
    state = ray.ask(head.address, head.token)
    return {each.job: (each.cpus, dict(each.tags)) for each in state.holdings}

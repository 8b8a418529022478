from __future__ import annotations

from datetime import timedelta

import pytest
from moto.ec2.models import ec2_backends

from clusterlab.errors import BusyError, ClusterlabError, UnreachableError
from clusterlab.ledger.budget import BudgetError
from tests.clusterlab.course.ending.conftest import Course
from tests.clusterlab.reaper.conftest import COURSE, HERE, OTHER, THERE, pairs, tagged


def of_stack(course: Course) -> str:
    tags = {"course": COURSE, "lab": "infra", "lease-until": "20261225t000000z"}
    machine = course.machine(tags)
    course.stack.machines.append(machine)
    return machine


def looks_at(course: Course, region: str) -> list[str]:
    """Grows with each look at the machines of a region."""
    met: list[str] = []

    def count(**_: object) -> None:
        met.append(region)

    course.account.cloud.client("ec2", region).meta.events.register("before-call.ec2.DescribeInstances", count)
    return met


def test_everything_of_the_class_ends_and_the_proof_says_so(course: Course) -> None:
    course.regions = (HERE, THERE)
    ours = [of_stack(course), course.launch("r1"), course.launch("r2", student="ben")]
    other = course.machine({"course": OTHER})
    course.meter()
    proof = course.down()
    assert proof is not None
    assert proof.proven
    assert course.alive() == [other]
    document = course.document
    ended = {each["id"] for each in document["resources"] if not each["there"]}
    assert ended >= set(ours)
    assert (document["totals"]["num_left"], document["regions"]) == (0, [HERE, THERE])
    assert document["ledger"]["runs_by_last_row"] == {"settle": 2}
    assert document["ledger"]["head"] == course.ledger().head()
    course.check_books()


def test_a_run_whose_price_nobody_knows_ends_and_stays_open_on_the_ledger(course: Course) -> None:
    course.regions = (HERE, THERE)
    course.launch("r1", region=THERE)
    course.meter()
    proof = course.down()
    assert proof is not None
    assert (proof.proven, course.alive()) == (True, [])
    assert list(course.document["ledger"]["open"]) == ["r1"]
    assert course.document["ledger"]["metered"]["complete"] is False


def test_the_last_two_looks_are_clean_and_so_far_apart(course: Course) -> None:
    course.launch()
    course.down(age_seconds=77.0)
    looks = course.document["looks"]
    assert [each["num_left"] for each in looks] == [2, 0, 0]
    assert course.slept.count(77.0) == 1


@pytest.mark.parametrize(("has_stack", "num_looks"), [(False, 3), (True, 4)])
def test_what_was_looked_at_since_the_last_end_is_not_looked_at_again(
    course: Course, has_stack: bool, num_looks: int
) -> None:
    """A stack that took something away may have left something: then everything is looked at anew."""
    course.regions = (HERE, THERE)
    if has_stack:
        of_stack(course)
    course.launch(reserve=None)
    here, there = looks_at(course, HERE), looks_at(course, THERE)
    proof = course.down(books=False)
    assert proof is not None
    assert proof.proven
    assert (len(here), len(there)) == (num_looks, 3)
    assert [each["num_left"] for each in course.document["looks"][1:]] == [0, 0]


def test_a_second_one_does_nothing_and_leaves_the_first_proof(course: Course) -> None:
    of_stack(course)
    course.launch("r1")
    course.down()
    before, head, steps = course.path.read_bytes(), course.ledger().head(), len(course.steps)
    assert course.down() is None
    assert course.path.read_bytes() == before
    assert (course.ledger().head(), len(course.steps), course.stack.num_downs) == (head, steps, 1)


def test_a_second_one_ends_what_came_since_and_forgets_nothing(course: Course) -> None:
    first = course.launch("r1")
    course.down()
    late = course.launch("r2", reserve=None)
    proof = course.down()
    assert proof is not None
    assert proof.proven
    assert {each["id"] for each in course.document["resources"]} >= {first, late}
    assert course.document["ledger"]["runs_by_last_row"] == {"settle": 2}


def test_nothing_is_launched_from_the_beginning_on(course: Course) -> None:
    course.launch("r1")

    def launch_again(name: str) -> None:
        if name == "clusters":
            # As SkyPilot's controller does for a job whose machine is gone.
            with pytest.raises(BudgetError, match=r"^course llm-2026: closed"):
                course.reserve("r1")

    course.on_step = launch_again
    course.down()
    assert "clusters" in course.steps


def test_what_comes_to_light_between_the_looks_ends_too(course: Course) -> None:
    late: list[str] = []

    def lag(seconds: float) -> None:
        if seconds == 120.0 and not late:
            late.append(course.launch(reserve=None))

    course.on_sleep = lag
    proof = course.down()
    assert proof is not None
    assert proof.proven
    assert course.alive() == []
    assert [each["num_left"] for each in course.document["looks"]] == [0, 0, 2, 0, 0]


def test_what_is_kept_is_named_with_why_and_who_pays(course: Course) -> None:
    kept, ended = course.launch("r1"), course.launch("r2")
    course.meter()
    s3, ec2 = course.account.cloud.client("s3", HERE), course.account.ec2()
    s3.create_bucket(Bucket="runs-of-llm-2026")
    s3.put_bucket_tagging(Bucket="runs-of-llm-2026", Tagging={"TagSet": pairs({"course": COURSE})})
    copy = {"course": COURSE, "Name": f"clusterlab-{COURSE}-server-data"}
    disk = ec2.create_volume(AvailabilityZone="us-east-1a", Size=8)["VolumeId"]
    old, new = (ec2.create_snapshot(VolumeId=disk, **tagged("snapshot", copy))["SnapshotId"] for _ in range(2))
    # moto's instants are whole seconds.
    ec2_backends["123456789012"][HERE].snapshots[old].start_time -= timedelta(days=1)
    proof = course.down(keep={kept: "for the demo in June"})
    assert proof is not None
    assert proof.proven
    assert course.alive() == [kept]
    # What is kept is nobody's use any more.
    course.check_books()
    shown = {each["id"]: each for each in course.document["kept"]}
    assert (shown[kept]["why"], shown[kept]["usd_per_hour"]) == ("for the demo in June", "0.096")
    assert shown[kept]["pays"] == "account 123456789012"
    assert shown["runs-of-llm-2026"]["usd_per_hour"] == "unknown"
    # The newest whole copy of the ledger's disk stays.
    stay = [each["SnapshotId"] for each in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]]
    assert (new in stay, old in stay) == (True, False)
    assert "ledger" in shown[new]["why"]
    assert ended not in shown


def test_what_is_kept_in_the_stack_stays_and_a_second_one_leaves_it_alone(course: Course) -> None:
    kept, ended = of_stack(course), of_stack(course)
    keep = {kept: "the demo"}
    proof = course.down(keep=keep)
    assert proof is not None
    assert proof.proven
    assert course.alive() == [kept]
    assert ended not in course.alive()
    assert course.down(keep=keep) is None


def test_what_is_no_longer_kept_ends(course: Course) -> None:
    kept = course.launch()
    course.down(keep={kept: "the demo"})
    assert course.alive() == [kept]
    proof = course.down()
    assert proof is not None
    assert (proof.proven, course.alive()) == (True, [])


def test_a_machine_that_is_refused_is_left_and_named_and_the_rest_ends(course: Course) -> None:
    stays, goes = course.launch(), course.launch()
    course.account.ec2().modify_instance_attribute(InstanceId=stays, DisableApiTermination={"Value": True})
    proof = course.down()
    assert proof is not None
    assert (proof.done, course.alive()) == (False, [stays])
    [left] = [each for each in proof.sweep.left if each.resource.id == stays]
    assert "OperationNotPermitted" in (left.error or "")
    assert goes in {each["id"] for each in course.document["resources"] if not each["there"]}
    course.account.ec2().modify_instance_attribute(InstanceId=stays, DisableApiTermination={"Value": False})
    again = course.down()
    assert again is not None
    assert (again.proven, course.alive()) == (True, [])
    course.check_books()


def test_a_stack_that_fails_is_tried_again_and_what_it_left_ends_by_its_tag(course: Course) -> None:
    of_stack(course)
    course.stack.errors = [ClusterlabError("stack: a timeout")] * 10
    proof = course.down()
    assert proof is not None
    assert proof.problems == ("stack: stack: a timeout",)
    assert (course.stack.num_downs, course.alive()) == (4, [])
    course.stack.errors = []
    again = course.down()
    assert again is not None
    assert again.proven


def test_a_stack_that_somebody_else_takes_down_is_waited_for(course: Course) -> None:
    of_stack(course)
    course.stack.errors = [BusyError("an update is under way")] * 3
    proof = course.down()
    assert proof is not None
    assert proof.proven
    assert course.slept.count(15.0) == 3


def test_a_class_without_a_ledger_ends_too(course: Course) -> None:
    course.launch(reserve=None)
    proof = course.down(books=False)
    assert proof is not None
    assert (proof.proven, course.document["ledger"]) == (True, None)
    assert course.down(books=False) is None


def test_open_runs_come_to_what_they_used(course: Course) -> None:
    course.launch("used")
    course.meter()
    course.reserve("never-launched")
    course.reserve("never-seen")
    course.ledger().commit("never-seen")
    course.down()
    rows = {run: course.rows(run)[-1] for run in ("used", "never-launched", "never-seen")}
    assert rows == {"used": "settle", "never-launched": "release", "never-seen": "correct"}
    assert course.document["ledger"]["runs_by_last_row"] == {"settle": 1, "release": 1, "correct": 1}
    course.check_books()


def test_a_ledger_that_is_gone_for_a_minute_is_waited_for(course: Course) -> None:
    course.launch("r1")
    gone = [UnreachableError("the ledger does not answer")] * 5
    opened = course.ledger
    ending = course.ending()
    assert ending.books is not None

    def answer() -> object:
        if gone and "gate" in course.steps:
            raise gone.pop()
        return opened()

    object.__setattr__(ending.books, "opened", answer)
    proof = ending.run(ending.look())
    assert proof.proven
    assert sum(course.slept) >= 38
    course.check_books()


def test_a_ledger_on_a_stack_that_does_not_answer_keeps_its_stack(course: Course) -> None:
    server, student = of_stack(course), course.launch("r1")
    course.meter()
    ending = course.ending(ledger_on_stack=True)
    assert ending.books is not None

    def answer() -> object:
        raise UnreachableError("the ledger does not answer")

    object.__setattr__(ending.books, "opened", answer)
    proof = ending.run(ending.look())
    assert not proof.done
    assert (course.alive(), course.stack.num_downs) == ([server], 0)
    assert student not in course.alive()
    again = course.down(ledger_on_stack=True)
    assert again is not None
    assert (again.proven, course.alive()) == (True, [])
    course.check_books()

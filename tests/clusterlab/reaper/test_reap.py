from __future__ import annotations

import json
from typing import Any

import pytest

from clusterlab.errors import InputError
from clusterlab.reaper.step import Step
from tests.clusterlab.reaper.conftest import HERE, OTHER, THERE, Account, entry, pairs, tagged


def test_a_machine_over_its_lease_is_warned_of_stopped_and_ended(account: Account) -> None:
    (machine,) = account.launch()
    first = account.reap()
    assert (entry(first, machine).step, account.state(machine)) == (Step.WARN, "running")
    account.later(minutes=10)
    second = account.reap()
    assert (entry(second, machine).step, account.state(machine)) == (Step.STOP, "stopped")
    account.later(hours=23)
    assert entry(account.reap(), machine).step is Step.GRACE
    account.later(hours=1)
    last = account.reap()
    assert (entry(last, machine).step, account.state(machine)) == (Step.DOWN, "terminated")
    assert [proof.proven for proof in (first, second, last)] == [False, False, True]
    assert not entry(last, machine).there
    assert not account.ec2().describe_volumes()["Volumes"]


def test_a_machine_in_its_lease_stays_and_proves(account: Account) -> None:
    (machine,) = account.launch(account.tags(hours=2))
    account.reap()
    account.later(hours=1.9)
    proof = account.reap()
    assert (entry(proof, machine).step, account.state(machine)) == (Step.LEASED, "running")
    assert proof.proven


def test_nothing_is_touched_before_a_second_scan_so_many_minutes_later(account: Account) -> None:
    (machine,) = account.launch()
    for _ in range(3):
        proof = account.reap(age_minutes=30)
        account.later(minutes=14)
    assert (entry(proof, machine).step, account.state(machine)) == (Step.WAIT, "running")
    assert entry(account.reap(age_minutes=30), machine).step is Step.STOP


def test_a_dry_run_touches_nothing_and_is_no_first_scan(account: Account) -> None:
    (machine,) = account.launch()
    for _ in range(3):
        proof = account.reap(yes=False)
        account.later(hours=30)
    assert (entry(proof, machine).step, account.state(machine)) == (Step.WARN, "running")
    assert not (account.folder / "state.json").exists()
    assert not proof.proven


def test_a_machine_that_is_started_again_is_stopped_again_and_gains_no_time(account: Account) -> None:
    (machine,) = account.launch()
    account.reap()
    account.later(minutes=10)
    account.reap()
    for _ in range(2):
        # As `sky start` does: the same tags again.
        account.later(hours=11)
        account.ec2().start_instances(InstanceIds=[machine])
        account.ec2().create_tags(Resources=[machine], Tags=pairs(account.tags(hours=-30)))
        proof = account.reap()
        assert (entry(proof, machine).step, account.state(machine)) == (Step.STOP, "stopped")
    account.later(hours=2)
    account.ec2().start_instances(InstanceIds=[machine])
    account.reap()
    assert account.state(machine) == "terminated"


def test_a_lease_that_an_instructor_lengthened_holds(account: Account) -> None:
    (machine,) = account.launch()
    account.reap()
    account.ec2().create_tags(Resources=[machine], Tags=pairs({"lease-until": account.tags(hours=5)["lease-until"]}))
    account.later(minutes=10)
    proof = account.reap()
    assert (entry(proof, machine).step, account.state(machine)) == (Step.LEASED, "running")
    account.later(hours=6)
    assert entry(account.reap(), machine).step is Step.WARN


@pytest.mark.parametrize("lease", [None, "never", "29991231t000000z"], ids=["none", "no instant", "far future"])
def test_a_lease_that_says_nothing_ends_when_that_of_a_launch_would(account: Account, lease: str | None) -> None:
    (machine,) = account.launch(account.tags(hours=None) | ({"lease-until": lease} if lease else {}))
    account.later(hours=11.9)
    assert entry(account.reap(), machine).step is Step.LEASED
    account.later(hours=0.2)
    assert entry(account.reap(), machine).step is Step.WARN
    account.reap_to_the_end()
    assert account.state(machine) == "terminated"


def test_starting_a_machine_again_does_not_make_it_new(account: Account) -> None:
    (machine,) = account.launch(account.tags(hours=None))
    account.later(hours=13)

    def start_again(parsed: dict[str, Any], **_: Any) -> None:
        # EC2 gives a machine that is started another launch time; moto does not.
        for reservation in parsed["Reservations"]:
            reservation["Instances"][0]["LaunchTime"] = account.now

    account.cloud.client("ec2", HERE).meta.events.register("after-call.ec2.DescribeInstances", start_again)
    assert entry(account.reap(), machine).step is Step.WARN


def test_what_has_no_birthday_gets_the_lease_of_a_launch_from_the_first_scan(account: Account) -> None:
    tags = account.tags(hours=None)
    address = account.ec2().allocate_address(Domain="vpc", **tagged("elastic-ip", tags))
    assert entry(account.reap(), address["AllocationId"]).step is Step.LEASED
    account.later(hours=12.1)
    assert entry(account.reap(), address["AllocationId"]).step is Step.WARN
    account.later(minutes=10)
    assert entry(account.reap(), address["AllocationId"]).step is Step.GRACE
    account.later(hours=24)
    assert account.reap().proven
    assert not account.ec2().describe_addresses()["Addresses"]


def test_a_spot_machine_cannot_be_stopped_and_is_ended(account: Account) -> None:
    (machine,) = account.launch(InstanceMarketOptions={"MarketType": "spot"})
    account.reap()
    account.later(minutes=10)
    account.reap()
    assert account.state(machine) == "terminated"


def test_the_end_of_the_course_ends_every_lease_in_two_scans(account: Account) -> None:
    machines = account.launch(account.tags(hours=5), region=HERE) + account.launch(account.tags(hours=5), region=THERE)
    account.reap(ended=True, grace_hours=0)
    account.later(minutes=10)
    proof = account.reap(ended=True, grace_hours=0)
    assert proof.proven
    assert [account.state(machines[0], HERE), account.state(machines[1], THERE)] == ["terminated"] * 2


def test_another_course_of_the_account_is_left_alone(account: Account) -> None:
    (ours,), (theirs,) = account.launch(), account.launch(account.tags(course=OTHER))
    assert account.reap_to_the_end().proven
    assert [account.state(ours), account.state(theirs)] == ["terminated", "running"]


def test_the_sightings_of_other_courses_are_not_taken_for_ours(account: Account) -> None:
    account.reap()
    with pytest.raises(InputError, match=r"state\.json: is of .*, llm-2026; allowed: .*, nlp-2026, or another place"):
        account.reap(courses=[OTHER])


def test_a_look_at_one_region_forgets_nothing_of_another(account: Account) -> None:
    (machine,) = account.launch(region=THERE)
    account.reap()
    account.later(minutes=10)
    account.reap(regions=[HERE])
    assert entry(account.reap(), machine).step is Step.STOP


def test_a_second_sweep_changes_nothing(account: Account) -> None:
    account.launch()
    assert account.reap_to_the_end().proven
    proof = account.reap()
    assert proof.proven
    assert proof.entries == []


def test_a_machine_that_is_protected_is_named_and_holds_nobody_else(account: Account) -> None:
    machines = account.launch(count=5)
    account.ec2().modify_instance_attribute(InstanceId=machines[2], DisableApiTermination={"Value": True})
    proof = account.reap_to_the_end()
    assert [account.state(each) for each in machines].count("terminated") == 4
    assert not proof.proven
    assert "disableApiTermination" in (entry(proof, machines[2]).error or "")
    assert entry(proof, machines[2]).left
    # Its disk waits for it; nobody waits for that.
    assert account.slept == []


def test_a_region_that_cannot_be_looked_at_is_not_proven(account: Account) -> None:
    (here,), (there,) = account.launch(region=HERE), account.launch(region=THERE)
    account.answer("ec2", "DescribeInstances", "UnauthorizedOperation", region=THERE)
    proof = account.reap_to_the_end()
    assert [account.state(here, HERE), account.state(there, THERE)] == ["terminated", "running"]
    assert not proof.proven
    assert [str(look) for look in proof.failed] == [f"{THERE}: ec2: instances: UnauthorizedOperation: no"]
    assert json.loads((account.folder / "proof.json").read_text())["not_scanned"][0]["region"] == THERE


def test_nothing_left_where_somebody_could_not_look_is_not_proven(account: Account) -> None:
    assert account.reap().proven
    account.answer("elb", "DescribeLoadBalancers", "AccessDenied", region=THERE)
    proof = account.reap()
    assert (proof.left, proof.proven) == ([], False)


def test_a_disk_is_not_taken_from_a_machine_that_nobody_could_look_at(account: Account) -> None:
    account.launch(region=THERE)
    account.answer("ec2", "DescribeInstances", "UnauthorizedOperation", region=THERE)
    proof = account.reap_to_the_end()
    (disk,) = [each for each in proof.entries if each.resource.kind == "volume"]
    assert (disk.step, disk.there) == (Step.IN_USE, True)


def test_throttling_is_waited_for(account: Account) -> None:
    (machine,) = account.launch()
    account.reap()
    account.later(minutes=10)
    account.reap()
    account.later(hours=24)
    met = account.answer("ec2", "TerminateInstances", "RequestLimitExceeded", times=2)
    assert account.reap().proven
    assert len(met) == 2
    assert account.state(machine) == "terminated"


def test_whoever_is_killed_in_the_middle_is_followed_by_one_who_ends_it(account: Account) -> None:
    machines = account.launch(count=3)
    account.reap()
    account.later(minutes=10)
    account.reap()
    account.later(hours=24)

    def die(**_: object) -> None:
        raise SystemExit

    ec2 = account.cloud.client("ec2", HERE)
    ec2.meta.events.register("after-call.ec2.TerminateInstances", die)
    with pytest.raises(SystemExit):
        account.reap()
    document = json.loads((account.folder / "proof.json").read_text())
    assert (document["proven"], document["ended"]) == (False, None)
    ec2.meta.events.unregister("after-call.ec2.TerminateInstances", die)
    assert account.reap().proven
    assert {account.state(each) for each in machines} == {"terminated"}


def test_the_grace_of_what_was_stopped_by_one_who_was_killed_is_not_begun_anew(account: Account) -> None:
    (machine,) = account.launch()
    account.reap()
    account.later(minutes=10)

    def die(**_: object) -> None:
        raise SystemExit

    events = account.cloud.client("ec2", HERE).meta.events
    events.register("after-call.ec2.StopInstances", die)
    with pytest.raises(SystemExit):
        account.reap()
    events.unregister("after-call.ec2.StopInstances", die)
    account.later(hours=24)
    assert account.reap().proven
    assert account.state(machine) == "terminated"


@pytest.mark.parametrize("names", [[], [HERE]], ids=["all", "one"])
def test_the_proof_says_which_regions_it_is_of(account: Account, names: list[str]) -> None:
    proof = account.reap(regions=names, yes=False)
    document = json.loads((account.folder / "proof.json").read_text())
    assert document["all_regions"] is (names == [])
    assert {look.region for look in proof.looks} == ({HERE} if names else {HERE, THERE, "aws-global"})
    assert document["proven"] is True

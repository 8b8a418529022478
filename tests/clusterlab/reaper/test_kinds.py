"""Every kind that a course leaves behind, in the order in which the cloud lets it go; and what is nobody's."""

from __future__ import annotations

import random
from typing import Any

import pytest

from clusterlab.reaper.cloud import Cloud
from clusterlab.reaper.proof import Proof
from clusterlab.reaper.question import Question
from clusterlab.reaper.resource import Kind
from clusterlab.reaper.scan import scan
from clusterlab.reaper.step import Step
from tests.clusterlab.reaper.conftest import HERE, IMAGE, OTHER, THERE, Account, entry, pairs, tagged


def litter(account: Account, tags: dict[str, str], name: str) -> dict[str, str]:
    """One of each kind, entangled as they are in a class; their ids by kind."""
    ec2, marks = account.ec2(), pairs(tags)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{HERE}{zone}")["Subnet"]["SubnetId"]
        for n, zone in enumerate("ab")
    ]
    groups = [_group(ec2, vpc, f"{name}-{n}", tags) for n in range(2)]
    for group, other in (groups, reversed(groups)):
        ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"GroupId": other}]}
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[ssh])
    (machine,) = account.launch(tags, SubnetId=subnets[0], SecurityGroupIds=groups)
    found = {Kind.INSTANCE: machine, Kind.SECURITY_GROUP: groups[0], "another group": groups[1]}
    volume = ec2.create_volume(Size=8, AvailabilityZone=f"{HERE}a", **tagged("volume", tags))
    ec2.attach_volume(VolumeId=volume["VolumeId"], InstanceId=machine, Device="/dev/sdf")
    found[Kind.VOLUME] = volume["VolumeId"]
    address = ec2.allocate_address(Domain="vpc", **tagged("elastic-ip", tags))["AllocationId"]
    ec2.associate_address(AllocationId=address, InstanceId=machine)
    found[Kind.ADDRESS] = address
    card = ec2.create_network_interface(SubnetId=subnets[0], Groups=groups[:1], **tagged("network-interface", tags))
    found[Kind.NETWORK_INTERFACE] = card["NetworkInterface"]["NetworkInterfaceId"]
    snapshot = ec2.create_snapshot(VolumeId=volume["VolumeId"], **tagged("snapshot", tags))
    found[Kind.SNAPSHOT] = snapshot["SnapshotId"]
    image = ec2.create_image(InstanceId=machine, Name=name, **tagged("image", tags))
    found[Kind.IMAGE] = image["ImageId"]
    template = ec2.create_launch_template(
        LaunchTemplateName=name,
        LaunchTemplateData={"ImageId": IMAGE},
        **tagged("launch-template", tags),
    )
    found[Kind.LAUNCH_TEMPLATE] = template["LaunchTemplate"]["LaunchTemplateId"]
    session = account.cloud.session
    balancer = session.client("elbv2", HERE).create_load_balancer(
        Name=name, Subnets=subnets, **({"Tags": marks} if marks else {})
    )
    found[Kind.LOAD_BALANCER] = balancer["LoadBalancers"][0]["LoadBalancerArn"]
    classic = {"Protocol": "http", "LoadBalancerPort": 80, "InstancePort": 80}
    session.client("elb", HERE).create_load_balancer(
        LoadBalancerName=f"{name}-classic",
        Listeners=[classic],
        AvailabilityZones=[f"{HERE}a"],
        **({"Tags": marks} if marks else {}),
    )
    found["classic balancer"] = f"{name}-classic"
    efs = session.client("efs", HERE)
    found[Kind.FILE_SYSTEM] = efs.create_file_system(CreationToken=name, Tags=marks)["FileSystemId"]
    efs.create_mount_target(FileSystemId=found[Kind.FILE_SYSTEM], SubnetId=subnets[0])
    found[Kind.UPLOAD] = _upload(session.client("s3", HERE), name, marks)
    return {str(kind): each for kind, each in found.items()}


def _group(ec2: Any, vpc: str, name: str, tags: dict[str, str]) -> str:
    made = ec2.create_security_group(GroupName=name, Description="d", VpcId=vpc, **tagged("security-group", tags))
    return str(made["GroupId"])


def _upload(s3: Any, bucket: str, marks: list[dict[str, str]]) -> str:
    s3.create_bucket(Bucket=bucket)
    if marks:
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": marks})
    s3.put_object(Bucket=bucket, Key="runs/result", Body=b"kept")
    made = s3.create_multipart_upload(Bucket=bucket, Key="runs/a?b/c.bin")
    return f"s3://{bucket}/runs/a?b/c.bin?uploadId={made['UploadId']}"


def ids(proof: Proof) -> set[str]:
    return {each.resource.id for each in proof.entries}


def everything(cloud: Cloud) -> dict[str, dict[str, str]]:
    """Tags by id of all that is in the account, whoever's it is."""
    found = scan(cloud, [HERE, THERE], Question(courses=None))
    assert found.failed == []
    return {each.id: each.tags for each in found.resources}


def test_every_kind_is_found_and_ended_and_nothing_else(account: Account) -> None:
    litter(account, {}, "foreign")
    litter(account, account.tags(course=OTHER), "other")
    before = everything(account.cloud).keys()
    made = litter(account, account.tags(), "ours")
    account.later(hours=13)  # An upload has no lease of its own.
    proof = account.reap(grace_hours=0)
    assert set(made.values()) <= ids(proof)
    assert {each.step for each in proof.entries} == {Step.WARN}
    account.later(minutes=10)
    proof = account.reap(grace_hours=0)
    assert [str(each.resource) for each in proof.left] == []
    assert proof.proven
    after = everything(account.cloud)
    assert before <= after.keys()
    # What moto makes beside them, such as a network interface for each machine, carries no tags.
    assert [tags for name, tags in after.items() if name not in before and tags] == []
    objects = account.cloud.session.client("s3", HERE).list_objects_v2(Bucket="ours")
    assert [each["Key"] for each in objects["Contents"]] == ["runs/result"]


def test_what_is_held_ends_after_what_holds_it(account: Account) -> None:
    litter(account, account.tags(), "ours")
    called: list[str] = []
    for service in ("ec2", "efs", "elb", "elbv2"):
        events = account.cloud.client(service, HERE).meta.events
        events.register(f"before-call.{service}", lambda model, **_: called.append(model.name))
    account.reap(grace_hours=0)
    account.later(minutes=10)
    account.reap(grace_hours=0)
    # Groups that name each other let go first; EC2 refuses to delete one that another names, moto does not.
    assert called.count("RevokeSecurityGroupIngress") == 2
    assert called.index("RevokeSecurityGroupIngress") < called.index("DeleteSecurityGroup")
    ends = [each for each in called if each.startswith(("Delete", "Terminate", "Release", "Deregister"))]
    for first, then in (
        ("DeleteLaunchTemplate", "TerminateInstances"),
        ("TerminateInstances", "ReleaseAddress"),
        ("TerminateInstances", "DeleteVolume"),
        ("TerminateInstances", "DeleteSecurityGroup"),
        ("DeleteNetworkInterface", "DeleteSecurityGroup"),
        ("DeleteMountTarget", "DeleteFileSystem"),
        ("DeregisterImage", "DeleteSnapshot"),
    ):
        assert ends.index(first) < ends.index(then), ends


def test_what_resists_is_tried_again_and_then_named(account: Account) -> None:
    group = _group(account.ec2(), account.ec2().describe_vpcs()["Vpcs"][0]["VpcId"], "ours", account.tags())
    met = account.answer("ec2", "DeleteSecurityGroup", "DependencyViolation", times=2)
    assert account.reap_to_the_end().proven
    assert (len(met), len(account.slept)) == (2, 2)
    assert group not in everything(account.cloud)


def test_what_resists_for_ever_ends_the_patience_and_not_the_sweep(account: Account) -> None:
    vpc = account.ec2().describe_vpcs()["Vpcs"][0]["VpcId"]
    group = _group(account.ec2(), vpc, "ours", account.tags())
    (machine,) = account.launch()
    account.answer("ec2", "DeleteSecurityGroup", "DependencyViolation")
    proof = account.reap_to_the_end(patience_seconds=0)
    assert not proof.proven
    assert [(each.resource.id, each.error) for each in proof.left] == [(group, "DependencyViolation: no")]
    assert account.state(machine) == "terminated"


def test_a_load_balancer_that_is_protected_is_named(account: Account) -> None:
    ec2, elb = account.ec2(), account.cloud.session.client("elbv2", HERE)
    subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"][:2]]
    made = elb.create_load_balancer(Name="ours", Subnets=subnets, Tags=pairs(account.tags()))["LoadBalancers"][0]
    # moto keeps the attribute, and does not heed it.
    account.answer("elbv2", "DeleteLoadBalancer", "OperationNotPermitted")
    proof = account.reap_to_the_end()
    assert "OperationNotPermitted" in (entry(proof, made["LoadBalancerArn"]).error or "")
    assert not proof.proven


def test_a_group_that_somebody_elses_machine_is_in_stays(account: Account) -> None:
    vpc = account.ec2().describe_vpcs()["Vpcs"][0]["VpcId"]
    group = _group(account.ec2(), vpc, "ours", account.tags())
    (foreign,) = account.launch({}, SecurityGroupIds=[group])
    proof = account.reap_to_the_end()
    assert (entry(proof, group).step, entry(proof, group).why) == (Step.IN_USE, f"used by {foreign}")
    assert not proof.proven


def test_a_bucket_that_cannot_be_read_is_not_proven_unless_it_is_kept(account: Account) -> None:
    account.cloud.session.client("s3", HERE).create_bucket(Bucket="locked")
    account.answer("s3", "GetBucketTagging", "AccessDenied")
    assert [look.kind for look in account.reap().failed] == [Kind.UPLOAD]
    account.keep({"keep": {"locked": "the auditors'"}})
    assert account.reap().proven


@pytest.mark.parametrize("seed", range(3))
def test_a_machine_that_does_not_carry_the_course_is_never_touched(account: Account, seed: int) -> None:
    """Tags at random, many of them almost the course's; only those that are its own may end."""
    chance = random.Random(seed)
    keys, values = ["course", "Course", "lab", "student", "lease-until"], ["llm-2026", "llm-2026x", "llm", "*", ""]
    machines = {}
    for _ in range(12):
        tags = {chance.choice(keys): chance.choice(values) for _ in range(chance.randrange(4))}
        machines[account.launch(tags)[0]] = tags.get("course") == "llm-2026"
    account.launch(account.tags())
    called: list[str] = []
    events = account.cloud.client("ec2", HERE).meta.events
    events.register("before-call.ec2.*", lambda params, **_: called.append(str(params["body"])))
    account.later(hours=13)
    account.reap_to_the_end()
    account.reap_to_the_end(ended=True)
    assert {name for name in machines if account.state(name) == "terminated"} == {
        name for name, ours in machines.items() if ours
    }
    foreign = [name for name, ours in machines.items() if not ours]
    assert [body for body in called if any(name in body for name in foreign)] == []

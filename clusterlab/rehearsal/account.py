"""The emulated account as its owner sees it: what a course finds there, and what is billed.

All of it asks the cloud through boto3, and takes nobody else's word.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from clusterlab.reaper.resource import BY_THE_HOUR, ENDING, Kind, Resource
from clusterlab.rehearsal.prices import ZONES
from clusterlab.rehearsal.steps import StepError

VPC = "clusterlab"
NODE_ROLE = "clusterlab-node"
SECURITY_GROUP = "clusterlab-nodes"
"""SkyPilot would make one at the first launch of a region, and of several launches at once some fail at that."""
BUCKET = "clusterlab-runs"
NETWORK = "10.77.0.0/16"
LEFT = (*BY_THE_HOUR, Kind.LAUNCH_TEMPLATE, Kind.LOAD_BALANCER, Kind.FILE_SYSTEM, Kind.UPLOAD)
"""What must not be left; the emulated account begins with images, snapshots and a security group."""


def seed() -> None:
    """Make what a course has before its first launch: a network and who may talk in it, its nodes' role, a bucket."""
    import boto3

    ec2 = boto3.client("ec2")
    vpc = ec2.create_vpc(CidrBlock=NETWORK, TagSpecifications=_named("vpc", VPC))["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    zones = ec2.describe_availability_zones(ZoneIds=list(ZONES[ec2.meta.region_name]))["AvailabilityZones"]
    for number, zone in enumerate((zone["ZoneName"] for zone in zones), start=1):
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.77.{number}.0/24", AvailabilityZone=zone)["Subnet"]
        ec2.modify_subnet_attribute(SubnetId=subnet["SubnetId"], MapPublicIpOnLaunch={"Value": True})
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet["SubnetId"])
    _make_security_group(ec2, vpc)
    _make_node_role()
    boto3.client("s3").create_bucket(Bucket=BUCKET)


def billed(kinds: Iterable[Kind] = BY_THE_HOUR) -> list[Resource]:
    """All that is in the account and costs money by the hour, or all of other kinds, by the reaper's own scan.

    Raises:
        StepError: the account cannot be looked at.
    """
    from clusterlab.reaper.cloud import Cloud
    from clusterlab.reaper.listing import Question
    from clusterlab.reaper.scan import scan

    cloud = Cloud()
    found = scan(cloud, [cloud.home], Question(courses=None), kinds=kinds)
    if found.failed:
        raise StepError("; ".join(map(str, found.failed)))
    return [each for each in found.resources if each.state != ENDING]


def launched() -> list[Resource]:
    """Every machine that there is or was, those that have ended too."""
    import boto3

    from clusterlab.reaper.listing import instance_of

    ec2 = boto3.client("ec2")
    pages = ec2.get_paginator("describe_instances").paginate()
    reservations = (reservation for page in pages for reservation in page["Reservations"])
    return [instance_of(each, ec2.meta.region_name) for found in reservations for each in found["Instances"]]


def preempt(instance_id: str) -> None:
    """Take a machine back, as the cloud does with one that was bought on the spot market."""
    import boto3

    boto3.client("ec2").terminate_instances(InstanceIds=[instance_id])


def _make_security_group(ec2: Any, vpc: str) -> None:
    """SSH from everywhere, and everything from machine to machine, as SkyPilot's own."""
    made = ec2.create_security_group(GroupName=SECURITY_GROUP, Description="Machines of the course", VpcId=vpc)
    ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    among = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": made["GroupId"]}]}
    ec2.authorize_security_group_ingress(GroupId=made["GroupId"], IpPermissions=[ssh, among])


def _make_node_role() -> None:
    import boto3

    iam = boto3.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.create_role(RoleName=NODE_ROLE, AssumeRolePolicyDocument=document)
    iam.create_instance_profile(InstanceProfileName=NODE_ROLE)
    iam.add_role_to_instance_profile(InstanceProfileName=NODE_ROLE, RoleName=NODE_ROLE)


def _named(kind: str, name: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}]}]

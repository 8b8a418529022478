from __future__ import annotations

from ipaddress import IPv4Network
from itertools import combinations

from infra.aws.network import Network, NetworkArgs
from tests.infra.conftest import NAMING
from tests.infra.graph import Graph, names, run

SUBNET = "aws:ec2/subnet:Subnet"
GROUP = "aws:ec2/securityGroup:SecurityGroup"


def network(zones: str = "ab", ssh_from: tuple[str, ...] = ("192.0.2.0/24",)) -> Graph:
    args = NetworkArgs(
        naming=NAMING,
        cidr="10.60.0.0/16",
        zones=tuple(f"us-east-1{zone}" for zone in zones),
        region="us-east-1",
        ssh_from=ssh_from,
    )
    return run(lambda: Network("net", args))


def test_each_zone_has_a_public_and_a_private_subnet_that_share_the_range() -> None:
    graph = network("abc")
    subnets = graph.of(SUBNET)
    public = [each for each in subnets if each.inputs["mapPublicIpOnLaunch"]]
    assert names(public) == [f"net-public-{zone}" for zone in "abc"]
    assert len(subnets) == 6
    ranges = [IPv4Network(each.inputs["cidrBlock"]) for each in subnets]
    assert all(each.subnet_of(IPv4Network("10.60.0.0/16")) for each in ranges)
    assert not any(one.overlaps(other) for one, other in combinations(ranges, 2))


def test_a_zone_more_moves_none_of_the_others() -> None:
    before, after = ({each.name: each.inputs for each in network(zones).of(SUBNET)} for zones in ("abc", "abcd"))
    assert before.items() <= after.items()


def test_only_public_subnets_have_a_route_to_the_internet_and_nothing_is_a_nat() -> None:
    graph = network()
    assert graph.one("aws:ec2/route:Route").inputs["routeTableId"] == "${RouteTable.net-public.id}"
    for each in graph.of("aws:ec2/routeTableAssociation:RouteTableAssociation"):
        kind = "public" if "public" in each.name else "private"
        assert each.inputs["routeTableId"] == f"${{RouteTable.net-{kind}.id}}"
        assert each.inputs["subnetId"] == f"${{Subnet.{each.name}.id}}"
    assert not graph.of("aws:ec2/natGateway:NatGateway")


def test_s3_and_dynamodb_are_reached_by_gateways_from_every_subnet() -> None:
    endpoints = network().of("aws:ec2/vpcEndpoint:VpcEndpoint")
    found = {each.inputs["serviceName"]: each.inputs for each in endpoints}
    assert found.keys() == {"com.amazonaws.us-east-1.s3", "com.amazonaws.us-east-1.dynamodb"}
    for inputs in found.values():
        assert inputs["vpcEndpointType"] == "Gateway"
        assert inputs["routeTableIds"] == ["${RouteTable.net-public.id}", "${RouteTable.net-private.id}"]


def test_ssh_comes_in_from_known_networks_and_else_only_the_group_itself() -> None:
    ssh, inside = network().one(GROUP).inputs["ingress"]
    assert (ssh["fromPort"], ssh["toPort"], ssh["cidrBlocks"]) == (22, 22, ["192.0.2.0/24"])
    assert (inside["protocol"], inside["self"]) == ("-1", True)
    assert "cidrBlocks" not in inside


def test_where_ssh_may_come_from_nowhere_there_is_no_rule_for_it() -> None:
    [inside] = network(ssh_from=()).one(GROUP).inputs["ingress"]
    assert inside["self"]


def test_skypilot_finds_the_network_and_the_group_by_name() -> None:
    graph = network()
    assert graph.one("aws:ec2/vpc:Vpc").inputs["tags"]["Name"] == graph.result.vpc_name == "clusterlab-llm-2026-network"
    assert graph.one(GROUP).inputs["name"] == graph.result.security_group_name == "clusterlab-llm-2026-nodes"

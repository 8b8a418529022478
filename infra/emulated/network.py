"""Networks of EC2, with gateways, routes and endpoints, and names of Route 53."""

from __future__ import annotations

from typing import Any

from infra.emulated.account import Account
from infra.emulated.resource import Asked, Made

ATTRIBUTES_OF_VPC = ("enableDnsHostnames", "enableDnsSupport", "enableNetworkAddressUsageMetrics")
ATTRIBUTES_OF_SUBNET = ("mapPublicIpOnLaunch", "assignIpv6AddressOnCreation", "enableDns64")


def create(account: Account, inputs: dict[str, Any], operation: str, kind: str, *path: str) -> Made:
    """Make something of EC2's, with its tags.

    Args:
        account: Where it is made.
        inputs: All arguments of the operation, by the provider's names or EC2's.
        operation: Of EC2's interface, as boto3 has it.
        kind: What EC2 calls it in a tag specification and in an ARN, such as `route-table`.
        path: Where in the answer its id stands.
    """
    rest = {key: value for key, value in inputs.items() if key != "tags"}
    answer: Any = account.call("ec2", operation, rest | tagged(kind, inputs.get("tags")))
    for key in path:
        answer = answer[key]
    return Made(id=answer, outputs={"arn": account.arn("ec2", f"{kind}/{answer}"), "ownerId": account.number})


def tagged(kind: str, tags: dict[str, str] | None) -> dict[str, Any]:
    """The argument by which EC2 tags what it makes; it takes no empty one."""
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]} if tags else {}


def vpc(account: Account, asked: Asked) -> Made:
    """`aws.ec2.Vpc`, with the ids of the route table and the security group that come with it."""
    attributes = {key: asked.take(key) for key in ATTRIBUTES_OF_VPC}
    made = create(account, asked.inputs, "create_vpc", "vpc", "Vpc", "VpcId")
    for key, value in attributes.items():
        if value is not None:
            account.call("ec2", "modify_vpc_attribute", {"vpcId": made.id, key: {"value": value}})
    here = [{"Name": "vpc-id", "Values": [made.id]}]
    table = account.call("ec2", "describe_route_tables", {"Filters": here})["RouteTables"][0]["RouteTableId"]
    group = account.call("ec2", "describe_security_groups", {"Filters": here})["SecurityGroups"][0]["GroupId"]
    more = {"mainRouteTableId": table, "defaultRouteTableId": table, "defaultSecurityGroupId": group}
    return Made(id=made.id, outputs=made.outputs | more)


def subnet(account: Account, asked: Asked) -> Made:
    """`aws.ec2.Subnet`."""
    attributes = {key: asked.take(key) for key in ATTRIBUTES_OF_SUBNET}
    made = create(account, asked.inputs, "create_subnet", "subnet", "Subnet", "SubnetId")
    for key, value in attributes.items():
        if value is not None:
            account.call("ec2", "modify_subnet_attribute", {"subnetId": made.id, key: {"value": value}})
    found = account.call("ec2", "describe_subnets", {"SubnetIds": [made.id]})["Subnets"][0]
    zone = {"availabilityZone": found["AvailabilityZone"], "availabilityZoneId": found["AvailabilityZoneId"]}
    return Made(id=made.id, outputs=made.outputs | zone)


def internet_gateway(account: Account, asked: Asked) -> Made:
    """`aws.ec2.InternetGateway`, attached where it has a VPC."""
    network = asked.take("vpcId")
    where = ("InternetGateway", "InternetGatewayId")
    made = create(account, asked.inputs, "create_internet_gateway", "internet-gateway", *where)
    if network:
        account.call("ec2", "attach_internet_gateway", {"internetGatewayId": made.id, "vpcId": network})
    return made


def route_table(account: Account, asked: Asked) -> Made:
    """`aws.ec2.RouteTable`, with its routes."""
    routes = asked.take("routes", [])
    made = create(account, asked.inputs, "create_route_table", "route-table", "RouteTable", "RouteTableId")
    for each in routes:
        _create_route(account, made.id, each)
    return made


def route(account: Account, asked: Asked) -> Made:
    """`aws.ec2.Route`."""
    table = asked.take("routeTableId")
    _create_route(account, table, asked.inputs)
    return Made(id=f"r-{table}{asked.inputs.get('destinationCidrBlock', '')}")


def _create_route(account: Account, table: str, given: dict[str, Any]) -> None:
    names = {"cidrBlock": "destinationCidrBlock", "ipv6CidrBlock": "destinationIpv6CidrBlock"}
    # A route within a table has empty texts where it has nothing.
    wanted = {names.get(key, key): value for key, value in given.items() if value}
    account.call("ec2", "create_route", wanted | {"routeTableId": table})


def route_table_association(account: Account, asked: Asked) -> Made:
    """`aws.ec2.RouteTableAssociation`."""
    return Made(id=account.call("ec2", "associate_route_table", asked.inputs)["AssociationId"])


def vpc_endpoint(account: Account, asked: Asked) -> Made:
    """`aws.ec2.VpcEndpoint`; a policy is text there and here."""
    asked.drop("autoAccept")
    inputs = asked.rename(policy="policyDocument")
    made = create(account, inputs, "create_vpc_endpoint", "vpc-endpoint", "VpcEndpoint", "VpcEndpointId")
    return Made(id=made.id, outputs=made.outputs | {"prefixListId": f"pl-{made.id.removeprefix('vpce-')[:8]}"})


def record(account: Account, asked: Asked) -> Made:
    """`aws.route53.Record`."""
    zone, values, kind = asked.take("zoneId"), asked.take("records", []), asked.inputs["type"]
    known = asked.inputs | {"resourceRecords": [{"value": each} for each in values]}
    change = {"action": "UPSERT", "resourceRecordSet": known}
    account.call("route53", "change_resource_record_sets", {"hostedZoneId": zone, "changeBatch": {"changes": [change]}})
    return Made(id=f"{zone}_{asked.inputs['name']}_{kind}", outputs={"fqdn": asked.inputs["name"]})


MAKERS = {
    "aws:ec2/vpc:Vpc": vpc,
    "aws:ec2/subnet:Subnet": subnet,
    "aws:ec2/internetGateway:InternetGateway": internet_gateway,
    "aws:ec2/routeTable:RouteTable": route_table,
    "aws:ec2/route:Route": route,
    "aws:ec2/routeTableAssociation:RouteTableAssociation": route_table_association,
    "aws:ec2/vpcEndpoint:VpcEndpoint": vpc_endpoint,
    "aws:route53/record:Record": record,
}

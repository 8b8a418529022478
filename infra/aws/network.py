"""The network of a class in one region: public subnets for machines, private ones for what they share.

There is no NAT gateway, which would cost more an hour than a small machine: machines have public addresses behind a
security group that lets in SSH from known networks only, and S3 and DynamoDB are reached through gateway endpoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
import pulumi_aws as aws

from clusterlab.network_plan import NetworkPlan
from infra.naming import Naming

ANYWHERE = "0.0.0.0/0"
GATEWAYS = ("s3", "dynamodb")
"""Services whose endpoints cost nothing."""
SSH = 22


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkArgs:
    """What a network is made of."""

    naming: Naming
    cidr: str
    """Private, of /16 to /28, such as 10.60.0.0/16; a public and a private subnet of each zone share it."""
    zones: tuple[str, ...]
    """Such as us-east-1a."""
    region: str
    ssh_from: tuple[str, ...]
    """CIDRs from which SSH may come."""


class Network(pulumi.ComponentResource):
    """A VPC."""

    vpc_id: pulumi.Output[str]
    vpc_name: str
    """Its tag `Name`, by which SkyPilot finds it."""
    public_subnet_ids: list[pulumi.Output[str]]
    """One a zone, with a route to the internet."""
    private_subnet_ids: list[pulumi.Output[str]]
    """One a zone, with none."""
    security_group_id: pulumi.Output[str]
    security_group_name: str

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clusterlab:aws:Network", name, None, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        self.vpc_name, self.security_group_name = args.naming.of("network"), args.naming.of("nodes")
        vpc = aws.ec2.Vpc(
            f"{name}-vpc",
            cidr_block=args.cidr,
            # EFS is mounted by name.
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=args.naming.tags("network"),
            opts=self._child,
        )
        self.vpc_id = vpc.id
        public, private = self._public_routes(), self._routes("private")
        self._endpoints([public.id, private.id])
        # Zone by zone, so that a zone more at the end moves none of the others.
        prefix = NetworkPlan(cidr=IPv4Network(args.cidr), zones=args.zones).subnet_prefix()
        parts = map(str, IPv4Network(args.cidr).subnets(new_prefix=prefix))
        pairs = [
            (self._subnet(zone, next(parts), public), self._subnet(zone, next(parts), private, public=False))
            for zone in args.zones
        ]
        self.public_subnet_ids, self.private_subnet_ids = [one.id for one, _ in pairs], [one.id for _, one in pairs]
        self.security_group_id = self._security_group().id
        self.register_outputs({"vpc_id": self.vpc_id, "security_group_id": self.security_group_id})

    def _public_routes(self) -> aws.ec2.RouteTable:
        gateway = aws.ec2.InternetGateway(
            f"{self._name}-gateway", vpc_id=self.vpc_id, tags=self._args.naming.tags("gateway"), opts=self._child
        )
        table = self._routes("public")
        aws.ec2.Route(
            f"{self._name}-internet",
            route_table_id=table.id,
            destination_cidr_block=ANYWHERE,
            gateway_id=gateway.id,
            opts=self._child,
        )
        return table

    def _routes(self, kind: str) -> aws.ec2.RouteTable:
        tags = self._args.naming.tags(kind)
        return aws.ec2.RouteTable(f"{self._name}-{kind}", vpc_id=self.vpc_id, tags=tags, opts=self._child)

    def _subnet(self, zone: str, cidr: str, table: aws.ec2.RouteTable, *, public: bool = True) -> aws.ec2.Subnet:
        part = f"{'public' if public else 'private'}-{zone.removeprefix(self._args.region)}"
        subnet = aws.ec2.Subnet(
            f"{self._name}-{part}",
            vpc_id=self.vpc_id,
            availability_zone=zone,
            cidr_block=cidr,
            map_public_ip_on_launch=public,
            tags=self._args.naming.tags(part),
            opts=self._child,
        )
        aws.ec2.RouteTableAssociation(
            f"{self._name}-{part}", subnet_id=subnet.id, route_table_id=table.id, opts=self._child
        )
        return subnet

    def _endpoints(self, tables: list[pulumi.Output[str]]) -> None:
        for service in GATEWAYS:
            aws.ec2.VpcEndpoint(
                f"{self._name}-{service}",
                vpc_id=self.vpc_id,
                service_name=f"com.amazonaws.{self._args.region}.{service}",
                vpc_endpoint_type="Gateway",
                route_table_ids=tables,
                tags=self._args.naming.tags(service),
                opts=self._child,
            )

    def _security_group(self) -> aws.ec2.SecurityGroup:
        ssh = aws.ec2.SecurityGroupIngressArgs(
            protocol="tcp",
            from_port=SSH,
            to_port=SSH,
            cidr_blocks=list(self._args.ssh_from),
            description="SSH from known networks",
        )
        inside = aws.ec2.SecurityGroupIngressArgs(
            protocol="-1", from_port=0, to_port=0, self=True, description="nodes among each other"
        )
        return aws.ec2.SecurityGroup(
            f"{self._name}-nodes",
            name=self.security_group_name,
            description="Nodes of a class",
            vpc_id=self.vpc_id,
            ingress=[*([ssh] if self._args.ssh_from else []), inside],
            egress=[aws.ec2.SecurityGroupEgressArgs(protocol="-1", from_port=0, to_port=0, cidr_blocks=[ANYWHERE])],
            tags=self._args.naming.tags("nodes"),
            opts=self._child,
        )

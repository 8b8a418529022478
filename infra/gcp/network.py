"""The network of a class on Google Cloud: a subnet in each region, and from outside nothing but SSH of known networks.

Networks, subnets and firewall rules have no labels there: their names say whose they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from infra.naming import Naming

SSH = "22"


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkArgs:
    """What a network is made of."""

    naming: Naming
    project: str
    subnets: Mapping[str, str]
    """The CIDR of each region's subnet, such as `{"us-east1": "10.20.0.0/20"}`."""
    ssh_from: tuple[str, ...]
    """CIDRs that reach machines by SSH."""


class Network(pulumi.ComponentResource):
    """A VPC network, a subnet in each region, and what may come in."""

    network_id: pulumi.Output[str]
    vpc_name: str
    """As SkyPilot's `gcp.vpc_name` wants it."""
    subnet_ids: dict[str, pulumi.Output[str]]
    """By region."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clusterlab:gcp:Network", name, None, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        self.vpc_name = args.naming.of("network")
        network = gcp.compute.Network(
            f"{name}-network",
            name=self.vpc_name,
            project=args.project,
            description=f"Machines of {args.naming.course}",
            auto_create_subnetworks=False,
            routing_mode="REGIONAL",
            opts=self._child,
        )
        self.network_id = network.id
        self.subnet_ids = {region: self._subnet(region, cidr).id for region, cidr in args.subnets.items()}
        self._firewall()
        self.register_outputs({"network_id": self.network_id, "vpc_name": self.vpc_name})

    def _subnet(self, region: str, cidr: str) -> gcp.compute.Subnetwork:
        return gcp.compute.Subnetwork(
            f"{self._name}-{region}",
            name=self._args.naming.of(region),
            project=self._args.project,
            network=self.network_id,
            region=region,
            ip_cidr_range=cidr,
            # Cloud Storage is reached without a public address.
            private_ip_google_access=True,
            opts=self._child,
        )

    def _firewall(self) -> None:
        args = self._args
        inside = [gcp.compute.FirewallAllowArgs(protocol=each) for each in ("tcp", "udp", "icmp")]
        self._let_in("inside", list(args.subnets.values()), inside)
        if args.ssh_from:
            ssh = [gcp.compute.FirewallAllowArgs(protocol="tcp", ports=[SSH])]
            self._let_in("ssh", list(args.ssh_from), ssh)

    def _let_in(self, part: str, ranges: list[str], allowed: list[gcp.compute.FirewallAllowArgs]) -> None:
        gcp.compute.Firewall(
            f"{self._name}-{part}",
            name=self._args.naming.of(part),
            project=self._args.project,
            network=self.network_id,
            direction="INGRESS",
            source_ranges=ranges,
            allows=allowed,
            opts=self._child,
        )

"""The network of a class on Google Cloud."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from infra.naming import Naming


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

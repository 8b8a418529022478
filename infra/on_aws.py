"""What a class has in AWS: a network in each of its regions, and in the first of them, its home, all the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from clusterlab.cluster import Cluster
from infra.aws.network import Network, NetworkArgs
from infra.aws.registry import Registry, RegistryArgs
from infra.aws.secrets import Secrets, SecretsArgs
from infra.aws.storage import Storage, StorageArgs
from infra.naming import Naming

IMAGES = ("train", "serve")
"""What `images/` has Dockerfiles for."""
HF_TOKEN = "hf-token"  # noqa: S105 (a name)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Home:
    """What the parts of a class have in common."""

    cluster: Cluster
    naming: Naming
    region: str
    opts: pulumi.ResourceOptions
    """With the provider of its region."""


def on_aws(cluster: Cluster, naming: Naming) -> dict[str, Any]:
    """Register a class's part in AWS, and say what it exports."""
    networks: dict[str, Network] = {}
    opts: dict[str, pulumi.ResourceOptions] = {}
    for region in cluster.regions("aws"):
        opts[region] = pulumi.ResourceOptions(provider=aws.Provider(f"aws-{region}", region=region))
        networks[region] = _network(cluster, naming, region, opts[region])
    region, network = next(iter(networks.items()))
    home = _Home(cluster=cluster, naming=naming, region=region, opts=opts[region])
    account = aws.get_caller_identity_output(opts=pulumi.InvokeOptions(provider=home.opts.provider)).account_id
    storage = _storage(home, network, account)
    registry = Registry("registry", RegistryArgs(naming=naming, images=IMAGES), home.opts)
    secrets = Secrets("secrets", SecretsArgs(naming=naming, key_arn=storage.key_arn, names=(HF_TOKEN,)), home.opts)
    return {
        "aws_region": region,
        "aws_regions": list(networks),
        "aws_vpc_name": network.vpc_name,
        "aws_security_group_name": network.security_group_name,
        "aws_bucket": storage.bucket_name,
        "aws_file_system": storage.file_system_id,
        "aws_repositories": registry.repository_urls,
        "aws_secrets": secrets.arns,
        "aws_labels": {"course": naming.course},
    }


def _network(cluster: Cluster, naming: Naming, region: str, opts: pulumi.ResourceOptions) -> Network:
    plan = cluster.network
    args = NetworkArgs(
        naming=naming,
        cidr=str(plan.cidr),
        zones=tuple(f"{region}{zone}" for zone in plan.zones),
        region=region,
        ssh_from=tuple(map(str, plan.ssh_from)),
    )
    return Network(f"network-{region}", args, opts)


def _storage(home: _Home, network: Network, account: pulumi.Output[str]) -> Storage:
    args = StorageArgs(
        naming=home.naming,
        # The account's number makes it the only one in the world.
        bucket=account.apply(home.naming.of),
        subnet_ids=network.private_subnet_ids,
        security_group_id=network.security_group_id,
        vpc_id=network.vpc_id,
        file_system=home.cluster.file_system,
    )
    return Storage("storage", args, home.opts)

"""The class's cluster: EKS with GPU node groups that begin at zero, and Ray on it."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from infra.naming import Naming


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassClusterArgs:
    """What a class's cluster is made of."""

    naming: Naming
    region: str
    subnet_ids: tuple[pulumi.Input[str], ...]
    """Of two zones at least, and public: without a NAT a node in a private one pulls no image."""
    ssh_from: tuple[str, ...]
    """CIDRs that reach the API server."""
    key_arn: pulumi.Input[str]
    """Of the KMS key that encrypts the cluster's secrets and the nodes' disks."""
    gpu_instance_types: tuple[str, ...]
    """A node group for each."""
    max_nodes: int = 4
    """Of each GPU node group; the least is 0."""
    version: str = "1.33"
    """Of Kubernetes."""
    boundary_arn: pulumi.Input[str] | None = None


class ClassCluster(pulumi.ComponentResource):
    """The cluster, its node groups and what runs on it."""

    cluster_name: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]
    """Without a credential: it asks `aws eks get-token`."""

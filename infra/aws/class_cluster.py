"""The class's cluster: EKS with a GPU node group for each instance type, all of which begin and end at no node.

Nodes are in public subnets: in private ones they would need a NAT gateway to pull an image, which is paid by the hour
and by the GB. The cluster's security group lets nothing in from outside.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pulumi
import pulumi_aws as aws

from clusterlab.catalog import Catalog
from infra.aws.class_ray import GPU, POOL_LABEL, SYSTEM, pools_of, ray_version
from infra.aws.class_roles import ClassRoles
from infra.aws.class_services import STUDENTS, ClassServices
from infra.naming import Naming

LOGS = ["api", "audit", "authenticator"]
SYSTEM_INSTANCE_TYPE = "m5.large"
SYSTEM_DISK_GIB, GPU_DISK_GIB = 50, 200
"""A node's images of CUDA are tens of GB."""
ADD_ONS = ("vpc-cni", "coredns", "kube-proxy", "eks-pod-identity-agent")
"""In the version that EKS has as the default of the cluster's."""
NODE_TEMPLATE = "k8s.io/cluster-autoscaler/node-template"
LOCK = Path(__file__).parents[2] / "images" / "train.lock"


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassClusterArgs:
    """What a class's cluster is made of."""

    naming: Naming
    region: str
    subnet_ids: Sequence[pulumi.Input[str]]
    """Of two zones at least, and public."""
    ssh_from: tuple[str, ...]
    """CIDRs that reach Kubernetes's API; from nowhere else, where there are none."""
    key_arn: pulumi.Input[str]
    """Of the KMS key that encrypts Kubernetes's secrets."""
    gpu_instance_types: tuple[str, ...]
    """A node group for each, such as g6.xlarge."""
    max_nodes: int = 4
    """Of each GPU node group; the least is 0."""
    image: pulumi.Input[str]
    """Of a Ray node: that of images/train.lock, by digest."""
    version: str = "1.35"
    """Of Kubernetes; EKS's standard support of it ends in March 2027."""
    student_role_arns: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """By student: who reaches Ray through `kubectl port-forward`, and nothing else of Kubernetes."""


class ClassCluster(pulumi.ComponentResource):
    """The cluster, its node groups and what runs on it."""

    cluster_name: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]
    """Without a credential: it asks `aws eks get-token`."""

    def __init__(self, name: str, args: ClassClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clusterlab:aws:ClassCluster", name, None, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        self._roles = ClassRoles(f"{name}-roles", naming=args.naming, opts=self._child)
        cluster = self._cluster()
        self.cluster_name, self.endpoint = cluster.name, cluster.endpoint
        self._let_in(self._roles.autoscaler_arn)
        self._students()
        pools = pools_of(args.gpu_instance_types, Catalog.load(), max_nodes=args.max_nodes)
        system = self._nodes(SYSTEM, SYSTEM_INSTANCE_TYPE)
        for pool in pools:
            self._nodes(pool.name, pool.instance_type, gpu=True)
        self._add_ons(system)
        self.kubeconfig = kubeconfig(cluster, args.region)
        ClassServices(
            f"{name}-services",
            naming=args.naming,
            region=args.region,
            cluster_name=self.cluster_name,
            kubeconfig=self.kubeconfig,
            pools=pools,
            image=args.image,
            ray_version=ray_version(LOCK),
            # A chart waits for its pods, and they for a node.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[system]),
        )
        outputs = {"cluster_name": self.cluster_name, "endpoint": self.endpoint, "kubeconfig": self.kubeconfig}
        self.register_outputs(outputs)

    def _cluster(self) -> aws.eks.Cluster:
        args = self._args
        return aws.eks.Cluster(
            f"{self._name}-cluster",
            name=args.naming.name,
            version=args.version,
            role_arn=self._roles.cluster_arn,
            vpc_config=aws.eks.ClusterVpcConfigArgs(
                subnet_ids=list(args.subnet_ids),
                endpoint_private_access=True,
                endpoint_public_access=bool(args.ssh_from),
                public_access_cidrs=list(args.ssh_from) or None,
            ),
            encryption_config=aws.eks.ClusterEncryptionConfigArgs(
                provider=aws.eks.ClusterEncryptionConfigProviderArgs(key_arn=args.key_arn), resources=["secrets"]
            ),
            enabled_cluster_log_types=LOGS,
            access_config=aws.eks.ClusterAccessConfigArgs(
                authentication_mode="API", bootstrap_cluster_creator_admin_permissions=True
            ),
            # Ours are below, so that they are seen and in the state.
            bootstrap_self_managed_addons=False,
            tags=args.naming.tags("cluster"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self._roles]),
        )

    def _let_in(self, autoscaler_arn: pulumi.Output[str]) -> None:
        """The cluster-autoscaler's pod gets its role by EKS Pod Identity, without an OIDC provider."""
        aws.eks.PodIdentityAssociation(
            f"{self._name}-autoscaler",
            cluster_name=self.cluster_name,
            namespace="kube-system",
            service_account="cluster-autoscaler",
            role_arn=autoscaler_arn,
            tags=self._args.naming.tags("cluster"),
            opts=self._child,
        )

    def _students(self) -> None:
        for student, role_arn in self._args.student_role_arns.items():
            aws.eks.AccessEntry(
                f"{self._name}-{student}",
                cluster_name=self.cluster_name,
                principal_arn=role_arn,
                kubernetes_groups=[STUDENTS],
                tags=self._args.naming.tags("cluster"),
                opts=self._child,
            )

    def _nodes(self, pool: str, instance_type: str, *, gpu: bool = False) -> aws.eks.NodeGroup:
        args, least = self._args, 0 if gpu else 1
        template = self._template(pool, GPU_DISK_GIB if gpu else SYSTEM_DISK_GIB)
        taint = aws.eks.NodeGroupTaintArgs(key=GPU, value="true", effect="NO_SCHEDULE")
        group = aws.eks.NodeGroup(
            f"{self._name}-{pool}",
            cluster_name=self.cluster_name,
            node_group_name=args.naming.of(pool),
            node_role_arn=self._roles.node_arn,
            subnet_ids=list(args.subnet_ids),
            instance_types=[instance_type],
            ami_type="AL2023_x86_64_NVIDIA" if gpu else "AL2023_x86_64_STANDARD",
            capacity_type="ON_DEMAND",
            scaling_config=aws.eks.NodeGroupScalingConfigArgs(
                min_size=least, desired_size=least, max_size=args.max_nodes if gpu else 2
            ),
            launch_template=aws.eks.NodeGroupLaunchTemplateArgs(
                id=template.id, version=template.latest_version.apply(str)
            ),
            labels={POOL_LABEL: pool},
            taints=[taint] if gpu else [],
            tags=args.naming.tags(pool),
            # The autoscaler says how many there are.
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[self._roles], ignore_changes=["scalingConfig.desiredSize"]
            ),
        )
        self._scaled_from_zero(pool, group, gpu=gpu)
        return group

    def _template(self, pool: str, disk_gib: int) -> aws.ec2.LaunchTemplate:
        """What makes each node's machine and disk carry the cost tags, which a node group's own tags do not."""
        args, tags = self._args, self._args.naming.tags(pool)
        disk = aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
            volume_size=disk_gib,
            volume_type="gp3",
            # With the account's own key: one of the class's would need a grant to the role that Auto Scaling has.
            encrypted="true",
            delete_on_termination="true",
        )
        return aws.ec2.LaunchTemplate(
            f"{self._name}-{pool}",
            name=args.naming.of(pool),
            block_device_mappings=[
                aws.ec2.LaunchTemplateBlockDeviceMappingArgs(device_name="/dev/xvda", ebs=disk),
            ],
            # One hop: a pod does not reach the node's role.
            metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(
                http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
            ),
            tag_specifications=[
                aws.ec2.LaunchTemplateTagSpecificationArgs(resource_type=each, tags=tags)
                for each in ("instance", "volume", "network-interface")
            ],
            tags=tags,
            opts=self._child,
        )

    def _scaled_from_zero(self, pool: str, group: aws.eks.NodeGroup, *, gpu: bool) -> None:
        """Tags of the group's Auto Scaling group: by them the autoscaler knows a node that is not there yet.

        Which groups are this cluster's it knows by tags of EKS's own.
        """
        wanted = {f"{NODE_TEMPLATE}/label/{POOL_LABEL}": pool}
        wanted |= {f"{NODE_TEMPLATE}/taint/{GPU}": "true:NoSchedule"} if gpu else {}
        # What a launch template tags are machines; the group itself is the class's too.
        wanted |= self._args.naming.tags(pool)
        scaling = group.resources.apply(lambda found: found[0].autoscaling_groups[0].name if found else "")
        for key, value in wanted.items():
            aws.autoscaling.Tag(
                f"{self._name}-{pool}-{key.rpartition('/')[2]}",
                autoscaling_group_name=scaling,
                tag=aws.autoscaling.TagTagArgs(key=key, value=value, propagate_at_launch=False),
                opts=self._child,
            )

    def _add_ons(self, system: aws.eks.NodeGroup) -> None:
        for each in ADD_ONS:
            aws.eks.Addon(
                f"{self._name}-{each}",
                cluster_name=self.cluster_name,
                addon_name=each,
                tags=self._args.naming.tags("cluster"),
                # Nodes are not ready without a network, and CoreDNS not without a node.
                opts=pulumi.ResourceOptions(parent=self, depends_on=[system] if each == "coredns" else []),
            )


def kubeconfig(cluster: aws.eks.Cluster, region: str) -> pulumi.Output[str]:
    """How `kubectl` and Pulumi reach a cluster, by whoever's credentials of AWS there are."""
    known = pulumi.Output.all(
        name=cluster.name, endpoint=cluster.endpoint, authority=cluster.certificate_authority.data
    )
    return known.apply(lambda made: json.dumps(_kubeconfig(region=region, **made)))


def _kubeconfig(*, name: str, endpoint: str, authority: str, region: str) -> dict[str, object]:
    token = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "aws",
        "args": ["eks", "get-token", "--cluster-name", name, "--region", region],
        "interactiveMode": "Never",
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "clusters": [{"name": name, "cluster": {"server": endpoint, "certificate-authority-data": authority}}],
        "users": [{"name": name, "user": {"exec": token}}],
    }

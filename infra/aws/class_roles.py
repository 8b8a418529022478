"""The roles of the class's cluster: EKS's, the nodes', and the autoscaler's, for this cluster's groups only."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.aws.statements import fitting
from infra.naming import Naming

MANAGED = "arn:aws:iam::aws:policy/"
OF_THE_CLUSTER = ("AmazonEKSClusterPolicy",)
OF_NODES = ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonEKS_CNI_Policy")
POD_IDENTITY = "pods.eks.amazonaws.com"


class ClassRoles(pulumi.ComponentResource):
    """Three roles."""

    cluster_arn: pulumi.Output[str]
    node_arn: pulumi.Output[str]
    autoscaler_arn: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        naming: Naming,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("clusterlab:aws:ClassRoles", name, None, opts)
        self._naming = naming
        self.cluster_arn = self._role("eks", "eks.amazonaws.com", OF_THE_CLUSTER).arn
        self.node_arn = self._role("eks-node", "ec2.amazonaws.com", OF_NODES).arn
        autoscaler = self._role("eks-autoscaler", POD_IDENTITY, ())
        aws.iam.RolePolicy(
            f"{name}-eks-autoscaler",
            name="scale",
            role=autoscaler.name,
            policy=json.dumps(scaling_policy(naming.name)),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.autoscaler_arn = autoscaler.arn
        outputs = {"cluster_arn": self.cluster_arn, "node_arn": self.node_arn, "autoscaler_arn": self.autoscaler_arn}
        self.register_outputs(outputs)

    def _role(self, part: str, service: str, policies: tuple[str, ...]) -> aws.iam.Role:
        child = pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(
            f"{self._name}-{part}",
            name=fitting(self._naming.of(part)),
            assume_role_policy=json.dumps(_trust(service)),
            tags=self._naming.tags(part),
            opts=child,
        )
        for policy in policies:
            aws.iam.RolePolicyAttachment(
                f"{self._name}-{part}-{policy}", role=role.name, policy_arn=f"{MANAGED}{policy}", opts=child
            )
        return role


def scaling_policy(cluster: str) -> dict[str, Any]:
    """What the cluster-autoscaler does with the groups of a cluster, by the tag that EKS gives them."""
    look = [
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeAutoScalingInstances",
        "autoscaling:DescribeLaunchConfigurations",
        "autoscaling:DescribeScalingActivities",
        "autoscaling:DescribeTags",
        "ec2:DescribeImages",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeLaunchTemplateVersions",
        "ec2:GetInstanceTypesFromInstanceRequirements",
        "eks:DescribeNodegroup",
    ]
    scale = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
    own = {"StringEquals": {f"aws:ResourceTag/k8s.io/cluster-autoscaler/{cluster}": "owned"}}
    statements = [
        {"Sid": "Look", "Effect": "Allow", "Action": look, "Resource": ["*"]},
        {"Sid": "ScaleItsOwn", "Effect": "Allow", "Action": scale, "Resource": ["*"], "Condition": own},
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _trust(service: str) -> dict[str, Any]:
    # EKS Pod Identity says of which pod a session is.
    actions = ["sts:AssumeRole", "sts:TagSession"] if service == POD_IDENTITY else ["sts:AssumeRole"]
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": actions}
    return {"Version": "2012-10-17", "Statement": [statement]}

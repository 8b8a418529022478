"""Clusters of EKS with their node groups."""

from __future__ import annotations

from typing import Any

from infra.emulated.account import Account
from infra.emulated.resource import Asked, Made


def cluster(account: Account, asked: Asked) -> Made:
    """`aws.eks.Cluster`."""
    name = asked.take("name", asked.name)
    inputs = asked.inputs | {"name": name}
    network = inputs.pop("vpcConfig", None)
    logs = inputs.pop("enabledClusterLogTypes", None)
    inputs["resourcesVpcConfig"] = network
    if logs:
        inputs["logging"] = {"clusterLogging": [{"types": logs, "enabled": True}]}
    made = account.call("eks", "create_cluster", inputs)["cluster"]
    authority = [{"data": made["certificateAuthority"]["data"]}]
    outputs = {"arn": made["arn"], "name": name, "endpoint": made["endpoint"], "certificateAuthorities": authority}
    issuer = made.get("identity", {}).get("oidc", {}).get("issuer", "")
    more: dict[str, Any] = {"certificateAuthority": authority[0], "identities": [{"oidcs": [{"issuer": issuer}]}]}
    return Made(id=name, outputs=outputs | more | {"vpcConfig": network})


def node_group(account: Account, asked: Asked) -> Made:
    """`aws.eks.NodeGroup`."""
    name = asked.take("nodeGroupName", asked.name)
    asked.drop("forceUpdateVersion")
    inputs = asked.rename(subnetIds="subnets", nodeRoleArn="nodeRole") | {"nodegroupName": name}
    made = account.call("eks", "create_nodegroup", inputs)["nodegroup"]
    groups = made.get("resources", {}).get("autoScalingGroups", [])
    outputs = {"arn": made["nodegroupArn"], "nodeGroupName": name}
    outputs["resources"] = [{"autoscalingGroups": groups, "remoteAccessSecurityGroupId": ""}]
    return Made(id=f"{inputs['clusterName']}:{name}", outputs=outputs)


def addon(account: Account, asked: Asked) -> Made:
    """`aws.eks.Addon`, which moto has not."""
    account.check("eks", "create_addon", asked.inputs, what=str(asked))
    return Made(id=f"{asked.inputs['clusterName']}:{asked.inputs['addonName']}")


def pod_identity(account: Account, asked: Asked) -> Made:
    """`aws.eks.PodIdentityAssociation`."""
    account.check("eks", "create_pod_identity_association", asked.inputs, what=str(asked))
    return Made(id=f"{asked.inputs['clusterName']},a-{asked.name}", outputs={"associationId": f"a-{asked.name}"})


def access_entry(account: Account, asked: Asked) -> Made:
    """`aws.eks.AccessEntry`, which moto has not."""
    account.check("eks", "create_access_entry", asked.inputs, what=str(asked))
    return Made(id=f"{asked.inputs['clusterName']}:{asked.inputs['principalArn']}")


def scaling_tag(account: Account, asked: Asked) -> Made:
    """`aws.autoscaling.Tag`, on the Auto Scaling group of a node group, which moto does not make."""
    group = asked.take("autoscalingGroupName")
    inputs = asked.take("tag") | {"resourceId": group, "resourceType": "auto-scaling-group"}
    asked.done()
    account.check("autoscaling", "create_or_update_tags", {"tags": [inputs]}, what=str(asked))
    return Made(id=f"{group},{inputs['key']}")


MAKERS = {
    "aws:eks/cluster:Cluster": cluster,
    "aws:eks/nodeGroup:NodeGroup": node_group,
    "aws:eks/addon:Addon": addon,
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": pod_identity,
    "aws:eks/accessEntry:AccessEntry": access_entry,
    "aws:autoscaling/tag:Tag": scaling_tag,
}

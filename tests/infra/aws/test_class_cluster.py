from __future__ import annotations

import json
from typing import Any

import pytest

from infra.aws.class_cluster import ClassCluster, ClassClusterArgs
from tests.infra.conftest import NAMING
from tests.infra.graph import EchoMocks, Graph, run

GROUP = "aws:eks/nodeGroup:NodeGroup"
GPUS = ("g6.xlarge", "g5.12xlarge")


class Cloud(EchoMocks):
    """With the outputs of EKS that others are made of."""

    def new_resource(self, args: Any) -> tuple[str | None, dict[str, Any]]:
        name, made = super().new_resource(args)
        if args.typ == "aws:eks/cluster:Cluster":
            made["certificateAuthority"] = {"data": "authority"}
        if args.typ == GROUP:
            made["resources"] = [{"autoscalingGroups": [{"name": f"asg-{args.name}"}]}]
        if args.typ == "aws:ec2/launchTemplate:LaunchTemplate":
            made["latestVersion"] = 3
        return name, made


def cluster(**changes: Any) -> Graph:
    given: dict[str, Any] = {
        "naming": NAMING,
        "region": "us-east-1",
        "subnet_ids": ["subnet-1", "subnet-2"],
        "ssh_from": ("192.0.2.0/24",),
        "key_arn": "arn:aws:kms:us-east-1:123456789012:key/1",
        "gpu_instance_types": GPUS,
        "image": "train@sha256:0",
    }
    args = ClassClusterArgs(**(given | changes))

    def program() -> None:
        ClassCluster("shared", args)

    return run(program, answers=Cloud())


def groups(graph: Graph) -> dict[str, dict[str, Any]]:
    return {each.inputs["labels"]["clusterlab/pool"]: each.inputs for each in graph.of(GROUP)}


def test_gpu_nodes_begin_and_end_at_none_and_only_what_asks_for_them_gets_them() -> None:
    found = groups(cluster())
    assert set(found) == {"system", "g6-xlarge", "g5-12xlarge"}
    for pool in ("g6-xlarge", "g5-12xlarge"):
        assert found[pool]["scalingConfig"] == {"minSize": 0, "desiredSize": 0, "maxSize": 4}
        assert found[pool]["taints"] == [{"key": "nvidia.com/gpu", "value": "true", "effect": "NO_SCHEDULE"}]
    assert found["system"]["scalingConfig"]["minSize"] == 1


def test_the_autoscaler_knows_a_node_that_is_not_there() -> None:
    tags = {
        (each.inputs["autoscalingGroupName"], each.inputs["tag"]["key"]): each.inputs["tag"]["value"]
        for each in cluster().of("aws:autoscaling/tag:Tag")
    }
    template = "k8s.io/cluster-autoscaler/node-template"
    assert tags["asg-shared-g6-xlarge", f"{template}/label/clusterlab/pool"] == "g6-xlarge"
    assert tags["asg-shared-g6-xlarge", f"{template}/taint/nvidia.com/gpu"] == "true:NoSchedule"
    assert ("asg-shared-system", f"{template}/taint/nvidia.com/gpu") not in tags


def test_machines_and_disks_carry_the_cost_tags_and_keep_their_role_from_pods() -> None:
    for template in cluster().of("aws:ec2/launchTemplate:LaunchTemplate"):
        given = template.inputs
        tagged = {each["resourceType"]: each["tags"] for each in given["tagSpecifications"]}
        assert {"instance", "volume"} <= tagged.keys()
        assert all({"course", "lab", "lease-until"} <= tags.keys() for tags in tagged.values())
        assert (given["metadataOptions"]["httpTokens"], given["metadataOptions"]["httpPutResponseHopLimit"]) == (
            "required",
            1,
        )
        assert given["blockDeviceMappings"][0]["ebs"]["encrypted"] == "true"


def test_known_networks_reach_kubernetes_and_its_secrets_are_encrypted() -> None:
    given = cluster().one("aws:eks/cluster:Cluster").inputs
    assert given["vpcConfig"]["publicAccessCidrs"] == ["192.0.2.0/24"]
    assert given["encryptionConfig"]["resources"] == ["secrets"]
    assert {"api", "audit"} <= set(given["enabledClusterLogTypes"])
    closed = cluster(ssh_from=()).one("aws:eks/cluster:Cluster").inputs["vpcConfig"]
    assert (closed["endpointPublicAccess"], closed["endpointPrivateAccess"]) == (False, True)


def test_the_autoscaler_scales_this_cluster_s_groups_only() -> None:
    statements = json.loads(cluster().one("aws:iam/rolePolicy:RolePolicy").inputs["policy"])["Statement"]
    [scale] = [each for each in statements if "autoscaling:SetDesiredCapacity" in each["Action"]]
    tag = "aws:ResourceTag/k8s.io/cluster-autoscaler/clusterlab-llm-2026"
    assert scale["Condition"] == {"StringEquals": {tag: "owned"}}
    assert not any("*" in action for each in statements for action in each["Action"])


def test_charts_are_of_one_version_and_wait_for_the_node_that_they_run_on() -> None:
    graph = cluster()
    releases = graph.of("kubernetes:helm.sh/v3:Release")
    versions = {each.inputs["chart"]: each.inputs["version"] for each in releases}
    assert set(versions) == {"cluster-autoscaler", "nvidia-device-plugin", "kuberay-operator"}
    assert all(version[0].isdigit() for version in versions.values())


def test_ray_begins_without_a_worker_and_asks_for_whole_machines() -> None:
    graph = cluster()
    spec = graph.one("kubernetes:ray.io/v1:RayCluster").inputs["spec"]
    assert spec["autoscalerOptions"]["version"] == "v2"
    assert spec["authOptions"] == {"mode": "token"}
    assert [(each["groupName"], each["minReplicas"], each["replicas"]) for each in spec["workerGroupSpecs"]] == [
        ("g6-xlarge", 0, 0),
        ("g5-12xlarge", 0, 0),
    ]
    pods = [each["template"]["spec"] for each in spec["workerGroupSpecs"]]
    assert [pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] for pod in pods] == ["1", "4"]
    assert [pod["nodeSelector"]["clusterlab/pool"] for pod in pods] == ["g6-xlarge", "g5-12xlarge"]
    quota = graph.one("kubernetes:core/v1:ResourceQuota").inputs["spec"]["hard"]
    assert quota["requests.nvidia.com/gpu"] == str(4 * (1 + 4))


def test_a_student_has_a_tunnel_to_ray_and_nothing_else_of_kubernetes() -> None:
    graph = cluster(student_role_arns={"ana": "arn:aws:iam::123456789012:role/ana"})
    entry = graph.one("aws:eks/accessEntry:AccessEntry").inputs
    assert entry["principalArn"] == "arn:aws:iam::123456789012:role/ana"
    binding = graph.one("kubernetes:rbac.authorization.k8s.io/v1:RoleBinding").inputs
    assert [each["name"] for each in binding["subjects"]] == entry["kubernetesGroups"]
    rules = graph.one("kubernetes:rbac.authorization.k8s.io/v1:Role").inputs["rules"]
    allowed = {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}
    looks = {(resource, verb) for resource in ("pods", "services") for verb in ("get", "list")}
    assert allowed == {("pods/portforward", "create")} | looks


def test_a_machine_that_has_no_gpu_or_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"m5\.large: no GPU machine of AWS's in the catalog; allowed: "):
        cluster(gpu_instance_types=("m5.large",))

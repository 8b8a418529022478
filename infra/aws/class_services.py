"""What runs on the class's cluster: the autoscaler of nodes, NVIDIA's device plugin, KubeRay, and one Ray cluster.

Ray's autoscaler makes pods for the jobs that wait, the cluster-autoscaler makes nodes for the pods that wait, and both
take away what is idle: a class that sleeps costs its control plane and one small node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.helm.v3 import Release, ReleaseArgs, RepositoryOptsArgs

from infra.aws.class_ray import GPU, NAMESPACE, Pool, ray_cluster
from infra.naming import Naming


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """A Helm chart of one version; each was published, none was installed from here."""

    name: str
    repository: str
    version: str
    namespace: str


AUTOSCALER = Chart(
    name="cluster-autoscaler",
    repository="https://kubernetes.github.io/autoscaler",
    version="9.56.0",
    namespace="kube-system",
)
DEVICE_PLUGIN = Chart(
    name="nvidia-device-plugin",
    repository="https://nvidia.github.io/k8s-device-plugin",
    version="0.18.0",
    namespace="kube-system",
)
KUBERAY = Chart(
    name="kuberay-operator",
    repository="https://ray-project.github.io/kuberay-helm/",
    version="1.7.0",
    namespace="ray-system",
)
STUDENTS = "clusterlab:students"
"""Kubernetes's group of the students."""
IDLE_NODE = "10m"
"""After which a node that nothing needs is ended."""


class ClassServices(pulumi.ComponentResource):
    """Charts, a namespace with its limits, and Ray."""

    def __init__(
        self,
        name: str,
        *,
        naming: Naming,
        region: str,
        cluster_name: pulumi.Input[str],
        kubeconfig: pulumi.Input[str],
        pools: Sequence[Pool],
        image: pulumi.Input[str],
        ray_version: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("clusterlab:aws:ClassServices", name, None, opts)
        provider = kubernetes.Provider(
            f"{name}-kubernetes", kubeconfig=kubeconfig, opts=pulumi.ResourceOptions(parent=self)
        )
        self._child = pulumi.ResourceOptions(parent=self, provider=provider)
        self._chart(AUTOSCALER, autoscaler_values(cluster_name, region))
        self._chart(DEVICE_PLUGIN, {"tolerations": [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}]})
        operator = self._chart(KUBERAY, {})
        space = self._namespace(naming, pools)
        self._students([space])
        self._ray(naming, ray_cluster(pools, image, ray_version), [operator, space])
        self.register_outputs({})

    def _ray(self, naming: Naming, spec: dict[str, Any], after: list[pulumi.Resource]) -> None:
        CustomResource(
            f"{self._name}-ray",
            api_version="ray.io/v1",
            kind="RayCluster",
            metadata={"name": naming.course, "namespace": NAMESPACE},
            spec=spec,
            # The kind is the operator's.
            opts=pulumi.ResourceOptions.merge(self._child, pulumi.ResourceOptions(depends_on=after)),
        )

    def _chart(self, chart: Chart, values: dict[str, Any]) -> Release:
        return Release(
            f"{self._name}-{chart.name}",
            ReleaseArgs(
                name=chart.name,
                chart=chart.name,
                version=chart.version,
                repository_opts=RepositoryOptsArgs(repo=chart.repository),
                namespace=chart.namespace,
                create_namespace=chart.namespace != "kube-system",
                atomic=True,
                values=values,
            ),
            opts=self._child,
        )

    def _students(self, after: list[pulumi.Resource]) -> None:
        """A student finds the head and has a tunnel to it: its token says what he may ask Ray for."""
        opts = pulumi.ResourceOptions.merge(self._child, pulumi.ResourceOptions(depends_on=after))
        metadata = {"name": "students", "namespace": NAMESPACE}
        rules = [
            {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["get", "list"]},
            {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["create"]},
        ]
        kubernetes.rbac.v1.Role(f"{self._name}-students", metadata=metadata, rules=rules, opts=opts)
        kubernetes.rbac.v1.RoleBinding(
            f"{self._name}-students",
            metadata=metadata,
            role_ref={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "students"},
            subjects=[{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": STUDENTS}],
            opts=opts,
        )

    def _namespace(self, naming: Naming, pools: Sequence[Pool]) -> kubernetes.core.v1.Namespace:
        """No more GPUs than the node groups may have, and a limit for a container that names none."""
        space = kubernetes.core.v1.Namespace(
            f"{self._name}-class",
            metadata={"name": NAMESPACE, "labels": {"course": naming.course}},
            opts=self._child,
        )
        inside = pulumi.ResourceOptions.merge(self._child, pulumi.ResourceOptions(depends_on=[space]))
        gpus = sum(pool.gpus * pool.max_nodes for pool in pools)
        kubernetes.core.v1.ResourceQuota(
            f"{self._name}-quota",
            metadata={"name": "class", "namespace": NAMESPACE},
            spec={"hard": {f"requests.{GPU}": str(gpus), "services.loadbalancers": "0", "services.nodeports": "0"}},
            opts=inside,
        )
        least = {"cpu": "500m", "memory": "1Gi"}
        kubernetes.core.v1.LimitRange(
            f"{self._name}-limits",
            metadata={"name": "class", "namespace": NAMESPACE},
            spec={"limits": [{"type": "Container", "default": least, "defaultRequest": least}]},
            opts=inside,
        )
        return space


def autoscaler_values(cluster_name: pulumi.Input[str], region: str) -> dict[str, Any]:
    """The values of the cluster-autoscaler's chart: the groups of this cluster, by the tags that EKS gives them."""
    return {
        "autoDiscovery": {"clusterName": cluster_name},
        "awsRegion": region,
        "rbac": {"serviceAccount": {"name": "cluster-autoscaler"}},
        "extraArgs": {"scale-down-unneeded-time": IDLE_NODE, "skip-nodes-with-system-pods": "false"},
    }

"""The class's Ray cluster as KubeRay is told of it: a head on the small node, and GPU workers that begin at none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from clusterlab.catalog import Catalog

NAMESPACE = "class"
GPU = "nvidia.com/gpu"
POOL_LABEL = "clusterlab/pool"
SYSTEM = "system"
IDLE_SECONDS = 600
"""After which a worker without work is ended; its node follows."""
OF_A_NODE = Decimal("0.85")
"""What of a node's CPUs and memory a worker asks for: Kubernetes's own pods need the rest."""
HEAD = {"cpu": "1", "memory": "4Gi"}
RAY = re.compile(r"^ray==(\S+)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """One GPU node group."""

    instance_type: str
    gpus: int
    vcpus: Decimal
    memory_gib: Decimal
    max_nodes: int

    @property
    def name(self) -> str:
        """As a label of Kubernetes and a part of a name can say it."""
        return self.instance_type.replace(".", "-")


def pools_of(instance_types: Iterable[str], catalog: Catalog, *, max_nodes: int) -> tuple[Pool, ...]:
    """The node groups, by what the catalog knows of AWS's machines.

    Raises:
        ValueError: the catalog has no GPU machine of that name.
    """
    rows = {row.name: row for row in catalog.rows if row.cloud == "aws" and row.accelerator}
    found = []
    for each in instance_types:
        row = rows.get(each)
        if row is None or row.vcpus is None or row.memory_gib is None:
            raise ValueError(f"{each}: no GPU machine of AWS's in the catalog; allowed: {', '.join(sorted(rows))}")
        found.append(
            Pool(
                instance_type=each,
                gpus=row.accelerator_count,
                vcpus=row.vcpus,
                memory_gib=row.memory_gib,
                max_nodes=max_nodes,
            )
        )
    return tuple(found)


def ray_version(lock: Path) -> str:
    """The version of Ray in a lock file, which is that of the image made from it.

    Raises:
        ValueError: it has none.
    """
    found = RAY.search(lock.read_text())
    if found is None:
        raise ValueError(f"{lock}: has no ray")
    return found.group(1)


def ray_cluster(pools: Sequence[Pool], image: Any, version: str) -> dict[str, Any]:
    """The `spec` of a RayCluster; `image` is one with that version of Ray, or an output of Pulumi's."""
    return {
        "rayVersion": version,
        "enableInTreeAutoscaling": True,
        "autoscalerOptions": {"version": "v2", "idleTimeoutSeconds": IDLE_SECONDS, "upscalingMode": "Default"},
        # KubeRay makes the token; who has it runs code as the class.
        "authOptions": {"mode": "token"},
        "headGroupSpec": {
            # The head runs no student's work.
            "rayStartParams": {"num-cpus": "0", "dashboard-host": "0.0.0.0"},  # noqa: S104 (inside the pod's network)
            "template": _pod("ray-head", image, HEAD, pool=SYSTEM),
        },
        "workerGroupSpecs": [_workers(pool, image) for pool in pools],
    }


def _workers(pool: Pool, image: Any) -> dict[str, Any]:
    asked = {
        "cpu": str(int(pool.vcpus * OF_A_NODE)),
        "memory": f"{int(pool.memory_gib * OF_A_NODE)}Gi",
        GPU: str(pool.gpus),
    }
    return {
        "groupName": pool.name,
        "replicas": 0,
        "minReplicas": 0,
        "maxReplicas": pool.max_nodes,
        "rayStartParams": {},
        "template": _pod("ray-worker", image, asked, pool=pool.name),
    }


def _pod(name: str, image: Any, asked: dict[str, str], *, pool: str) -> dict[str, Any]:
    container = {
        "name": name,
        "image": image,
        "resources": {"requests": asked, "limits": asked},
        "securityContext": {"allowPrivilegeEscalation": False, "runAsNonRoot": True},
    }
    taken = [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}] if GPU in asked else []
    spec = {"containers": [container], "nodeSelector": {POOL_LABEL: pool}, "tolerations": taken}
    # With autoscaler v2 a pod that ended is replaced by Ray, not by the kubelet.
    return {"spec": {**spec, "restartPolicy": "Never"}}

from __future__ import annotations

import json

from infra.aws.registry import Registry, RegistryArgs
from tests.infra.conftest import NAMING
from tests.infra.graph import Graph, run


def registry() -> Graph:
    return run(lambda: Registry("registry", RegistryArgs(naming=NAMING, images=("train", "serve"))))


def test_each_image_has_a_repository_whose_tags_stay_and_whose_pushes_are_scanned() -> None:
    found = registry().of("aws:ecr/repository:Repository")
    assert sorted(each.inputs["name"] for each in found) == ["clusterlab-llm-2026/serve", "clusterlab-llm-2026/train"]
    for each in found:
        assert each.inputs["imageTagMutability"] == "IMMUTABLE"
        assert each.inputs["imageScanningConfiguration"] == {"scanOnPush": True}
        assert each.inputs["forceDelete"] is True


def test_old_images_end() -> None:
    policies = registry().of("aws:ecr/lifecyclePolicy:LifecyclePolicy")
    assert {each.inputs["repository"] for each in policies} == {
        "clusterlab-llm-2026/train",
        "clusterlab-llm-2026/serve",
    }
    untagged, old = json.loads(policies[0].inputs["policy"])["rules"]
    assert (untagged["selection"]["tagStatus"], untagged["selection"]["countNumber"]) == ("untagged", 14)
    # ECR wants the rule for any image to be the last.
    assert (old["selection"]["tagStatus"], old["rulePriority"]) == ("any", 2)

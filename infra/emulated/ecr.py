"""Repositories of images in ECR."""

from __future__ import annotations

from infra.emulated.account import Account
from infra.emulated.resource import Asked, Made


def repository(account: Account, asked: Asked) -> Made:
    """`aws.ecr.Repository`."""
    name = asked.take("name", asked.name)
    asked.drop("forceDelete")
    inputs = asked.rename(encryptionConfigurations="encryptionConfiguration") | {"repositoryName": name}
    for each in inputs.get("encryptionConfiguration", []):
        each["encryptionType"] = each.get("encryptionType", "AES256")
    made = account.call("ecr", "create_repository", inputs)["repository"]
    outputs = {"arn": made["repositoryArn"], "repositoryUrl": made["repositoryUri"], "registryId": made["registryId"]}
    return Made(id=name, outputs=outputs | {"name": name})


def lifecycle_policy(account: Account, asked: Asked) -> Made:
    """`aws.ecr.LifecyclePolicy`."""
    inputs = asked.rename(repository="repositoryName", policy="lifecyclePolicyText")
    account.call("ecr", "put_lifecycle_policy", inputs)
    return Made(id=asked.inputs["repository"])


MAKERS = {
    "aws:ecr/repository:Repository": repository,
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": lifecycle_policy,
}

"""Secrets of Secrets Manager."""

from __future__ import annotations

from infra.emulated.account import Account
from infra.emulated.resource import Asked, Made


def secret(account: Account, asked: Asked) -> Made:
    """`aws.secretsmanager.Secret`, which has no value yet."""
    name = asked.take("name", asked.name)
    asked.drop("recoveryWindowInDays", "forceOverwriteReplicaSecret")
    made = account.call("secretsmanager", "create_secret", asked.inputs | {"name": name})
    return Made(id=made["ARN"], outputs={"arn": made["ARN"], "name": name})


MAKERS = {"aws:secretsmanager/secret:Secret": secret}

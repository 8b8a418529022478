"""Keys of KMS."""

from __future__ import annotations

from infra.emulated.account import Account
from infra.emulated.resource import Asked, Made


def key(account: Account, asked: Asked) -> Made:
    """`aws.kms.Key`, turned every year where it says so."""
    rotated, days = asked.take("enableKeyRotation"), asked.take("rotationPeriodInDays")
    asked.drop("deletionWindowInDays", "isEnabled", "bypassPolicyLockoutSafetyCheck")
    inputs = asked.rename(customerMasterKeySpec="keySpec")
    made = account.call("kms", "create_key", inputs)["KeyMetadata"]
    if rotated:
        arguments = {"keyId": made["KeyId"]} | ({"rotationPeriodInDays": days} if days else {})
        account.call("kms", "enable_key_rotation", arguments)
    return Made(id=made["KeyId"], outputs={"arn": made["Arn"], "keyId": made["KeyId"]})


def alias(account: Account, asked: Asked) -> Made:
    """`aws.kms.Alias`."""
    name = asked.take("name", f"alias/{asked.name}")
    account.call("kms", "create_alias", asked.inputs | {"aliasName": name})
    return Made(id=name, outputs={"arn": account.arn("kms", name), "name": name})


MAKERS = {"aws:kms/key:Key": key, "aws:kms/alias:Alias": alias}

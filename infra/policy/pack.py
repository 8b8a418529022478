"""The rules of the pack, by name."""

from __future__ import annotations

from pulumi_policy import Policy

from infra.policy.budget import budget
from infra.policy.encryption import bucket_encryption, encryption, public_buckets
from infra.policy.ingress import open_ingress
from infra.policy.labels import cost_tags, lease
from infra.policy.machines import imds_v2, price, stack_price
from infra.policy.rule import TEXT, TEXTS, each, whole

NAME = "clusterlab"
REGIONS = {"type": "object", "additionalProperties": TEXT}


def policies() -> list[Policy]:
    """All of them, every one mandatory; what a class has agreed to comes by the pack's configuration."""
    return [
        each(cost_tags, "cost-tags", {"course": TEXT}),
        each(lease, "lease", {"latest": TEXT}),
        each(open_ingress, "open-ingress", {"sshFrom": TEXTS}),
        each(encryption, "encryption"),
        each(imds_v2, "imds-v2"),
        each(price, "price", {"maxUsdPerHour": TEXT, "regions": REGIONS}),
        whole(bucket_encryption, "bucket-encryption"),
        whole(public_buckets, "public-buckets"),
        whole(budget, "budget", {"limitUsd": TEXT}),
        whole(stack_price, "stack-price", {"maxStackUsdPerHour": TEXT, "regions": REGIONS}),
    ]

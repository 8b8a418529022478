"""Let the emulated S3 read a bucket's policy as if every call came over TLS, which the emulated cloud has not.

moto 5.2.5 denies every call for an object of a bucket whose policy has a `Deny` on conditions that it does not know, so
all of a bucket that asks for TLS. The policy stays as it is, and is answered as it is.
"""

from __future__ import annotations

import json
from typing import Any

TLS_ONLY = {"Bool": {"aws:SecureTransport": "false"}}
"""The condition of a statement that denies calls without TLS."""


def take_for_tls() -> None:
    """Have this process's moto do so."""
    from moto.s3.models import FakeBucket

    buckets: Any = FakeBucket
    buckets.get_permission = _permission


def _permission(bucket: Any, action: str, resource: str) -> Any:
    from moto.iam.access_control import IAMPolicy, PermissionResult

    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    document = json.loads(bucket.policy)
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    document["Statement"] = [each for each in statements if each.get("Condition") != TLS_ONLY]
    return IAMPolicy(json.dumps(document)).is_action_permitted(action, resource)

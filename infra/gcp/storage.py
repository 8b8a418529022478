"""The bucket of a class on Google Cloud."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from infra.naming import Naming


@dataclass(frozen=True, kw_only=True, slots=True)
class StorageArgs:
    """What a bucket is made of."""

    naming: Naming
    project: str
    bucket: str
    """Its name, which no other bucket of Google Cloud has."""
    region: str
    project_number: pulumi.Input[str]
    """Whose Cloud Storage service agent encrypts with the key."""


class Storage(pulumi.ComponentResource):
    """The bucket of runs and checkpoints, and its key."""

    bucket_name: pulumi.Output[str]
    key_id: pulumi.Output[str]

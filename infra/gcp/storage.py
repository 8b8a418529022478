"""The bucket of a class on Google Cloud: runs and checkpoints, encrypted with a key of its own, never public."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from infra.gcp.labels import labels
from infra.naming import Naming

ROTATION = f"{90 * 24 * 3600}s"
OLD_VERSIONS, OLD_DAYS = 1, 30
UPLOAD_DAYS = 7
"""As long as an upload that nobody completed stays."""


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

    def __init__(self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clusterlab:gcp:Storage", name, None, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        key, use = self._key()
        self.key_id = key.id
        self.bucket_name = self._bucket(use).name
        self.register_outputs({"bucket_name": self.bucket_name, "key_id": self.key_id})

    def _key(self) -> tuple[gcp.kms.CryptoKey, gcp.kms.CryptoKeyIAMMember]:
        """A key that Cloud Storage may use. Google Cloud deletes no key ring and no key: they outlive the stack."""
        args = self._args
        ring = gcp.kms.KeyRing(
            f"{self._name}-keys", name=args.naming.name, project=args.project, location=args.region, opts=self._child
        )
        key = gcp.kms.CryptoKey(
            f"{self._name}-key",
            name=args.naming.of("bucket"),
            key_ring=ring.id,
            rotation_period=ROTATION,
            labels=labels(args.naming, "bucket"),
            opts=self._child,
        )
        agent = pulumi.Output.format(
            "serviceAccount:service-{0}@gs-project-accounts.iam.gserviceaccount.com", args.project_number
        )
        use = gcp.kms.CryptoKeyIAMMember(
            f"{self._name}-key",
            crypto_key_id=key.id,
            role="roles/cloudkms.cryptoKeyEncrypterDecrypter",
            member=agent,
            opts=self._child,
        )
        return key, use

    def _bucket(self, use: gcp.kms.CryptoKeyIAMMember) -> gcp.storage.Bucket:
        args = self._args
        rule, when = gcp.storage.BucketLifecycleRuleArgs, gcp.storage.BucketLifecycleRuleConditionArgs
        delete = gcp.storage.BucketLifecycleRuleActionArgs(type="Delete")
        abort = gcp.storage.BucketLifecycleRuleActionArgs(type="AbortIncompleteMultipartUpload")
        return gcp.storage.Bucket(
            f"{self._name}-bucket",
            name=args.bucket,
            project=args.project,
            location=args.region,
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            versioning=gcp.storage.BucketVersioningArgs(enabled=True),
            lifecycle_rules=[
                rule(
                    action=delete,
                    condition=when(
                        num_newer_versions=OLD_VERSIONS, days_since_noncurrent_time=OLD_DAYS, with_state="ARCHIVED"
                    ),
                ),
                rule(action=abort, condition=when(age=UPLOAD_DAYS)),
            ],
            encryption=gcp.storage.BucketEncryptionArgs(default_kms_key_name=self.key_id),
            force_destroy=False,
            labels=labels(args.naming, "bucket"),
            # A bucket whose key it may not use is not made.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[use]),
        )

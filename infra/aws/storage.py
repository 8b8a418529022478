"""What a class keeps: a bucket for runs and checkpoints, a shared file system, and the key that encrypts both.

At the term's end the bucket, its settings and its key stay behind (`retain_on_delete`), since results are asked for
after a class; emptying it is the instructor's own act. None is protected: that would stop `pulumi destroy` before it
has ended a single machine. The file system, which costs by the GB and holds copies, ends with the class.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from clusterlab.cluster import FileSystem
from infra.naming import Naming

SCRATCH = "scratch/"
"""What lies below it in the bucket is ended by age."""
SCRATCH_DAYS = 14
OLD_VERSION_DAYS = 30
UPLOAD_DAYS = 7
"""After which the parts of an upload that never finished are ended: no list of objects shows them, the bill does."""
LUSTRE_GIB = 1200
"""The least that FSx for Lustre has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StorageArgs:
    """What storage is made of."""

    naming: Naming
    account_id: pulumi.Input[str]
    """Whose IAM says who may use the key."""
    bucket: pulumi.Input[str]
    """Its name, of which there is one in the world."""
    subnet_ids: Sequence[pulumi.Input[str]]
    """Where machines reach the file system, one a zone."""
    security_group_id: pulumi.Input[str]
    vpc_id: pulumi.Input[str]
    file_system: FileSystem = FileSystem.EFS


class Storage(pulumi.ComponentResource):
    """A bucket, a key and a file system."""

    bucket_name: pulumi.Output[str]
    bucket_arn: pulumi.Output[str]
    key_arn: pulumi.Output[str]
    file_system_id: pulumi.Output[str]

    def __init__(self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clusterlab:aws:Storage", name, None, opts)
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        self._kept = pulumi.ResourceOptions(parent=self, retain_on_delete=True)
        self.key_arn = self._key().arn
        bucket = aws.s3.Bucket(f"{name}-bucket", bucket=args.bucket, tags=args.naming.tags("bucket"), opts=self._kept)
        self.bucket_name, self.bucket_arn = bucket.bucket, bucket.arn
        self._close()
        self._keep_versions()
        self._encrypt()
        self._expire()
        shared = self._lustre() if args.file_system is FileSystem.LUSTRE else self._efs()
        self.file_system_id = shared.id
        self.register_outputs(
            {
                "bucket_name": self.bucket_name,
                "bucket_arn": self.bucket_arn,
                "key_arn": self.key_arn,
                "file_system_id": self.file_system_id,
            }
        )

    def _key(self) -> aws.kms.Key:
        naming = self._args.naming
        key = aws.kms.Key(
            f"{self._name}-key",
            description=f"What the class {naming.course} keeps",
            enable_key_rotation=True,
            policy=pulumi.Output.from_input(self._args.account_id).apply(_key_policy),
            tags=naming.tags("key"),
            opts=self._kept,
        )
        aws.kms.Alias(f"{self._name}-key", name=f"alias/{naming.name}", target_key_id=key.id, opts=self._kept)
        return key

    def _close(self) -> None:
        """No object is ever public, whoever asks for it, and none travels unencrypted."""
        block = aws.s3.BucketPublicAccessBlock(
            f"{self._name}-closed",
            bucket=self.bucket_name,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self._kept,
        )
        aws.s3.BucketOwnershipControls(
            f"{self._name}-owner",
            bucket=self.bucket_name,
            rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            opts=self._kept,
        )
        # S3 takes one change of a bucket's access at a time.
        after = pulumi.ResourceOptions.merge(self._kept, pulumi.ResourceOptions(depends_on=[block]))
        policy = self.bucket_arn.apply(_tls_only)
        aws.s3.BucketPolicy(f"{self._name}-tls", bucket=self.bucket_name, policy=policy, opts=after)

    def _keep_versions(self) -> None:
        aws.s3.BucketVersioning(
            f"{self._name}-versions",
            bucket=self.bucket_name,
            versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=self._kept,
        )

    def _encrypt(self) -> None:
        default = aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
            sse_algorithm="aws:kms", kms_master_key_id=self.key_arn
        )
        rule = aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
            apply_server_side_encryption_by_default=default,
            # One request to KMS for many objects.
            bucket_key_enabled=True,
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            f"{self._name}-encryption", bucket=self.bucket_name, rules=[rule], opts=self._kept
        )

    def _expire(self) -> None:
        aws.s3.BucketLifecycleConfiguration(
            f"{self._name}-lifecycle",
            bucket=self.bucket_name,
            rules=[_leftovers(), _scratch()],
            opts=self._kept,
        )

    def _efs(self) -> aws.efs.FileSystem:
        args = self._args
        shared = aws.efs.FileSystem(
            f"{self._name}-shared",
            creation_token=args.naming.of("shared"),
            encrypted=True,
            kms_key_id=self.key_arn,
            throughput_mode="elastic",
            lifecycle_policies=[aws.efs.FileSystemLifecyclePolicyArgs(transition_to_ia="AFTER_30_DAYS")],
            tags=args.naming.tags("shared"),
            opts=self._child,
        )
        for number, subnet in enumerate(args.subnet_ids):
            aws.efs.MountTarget(
                f"{self._name}-shared-{number}",
                file_system_id=shared.id,
                subnet_id=subnet,
                security_groups=[args.security_group_id],
                opts=self._child,
            )
        return shared

    def _lustre(self) -> aws.fsx.LustreFileSystem:
        """In one zone, and fast: for checkpoints of many nodes at once."""
        return aws.fsx.LustreFileSystem(
            f"{self._name}-shared",
            storage_capacity=LUSTRE_GIB,
            deployment_type="SCRATCH_2",
            data_compression_type="LZ4",
            subnet_ids=self._args.subnet_ids[0],
            security_group_ids=[self._args.security_group_id],
            tags=self._args.naming.tags("shared"),
            opts=self._child,
        )


def _key_policy(account_id: str) -> str:
    """IAM says who uses the key; an alarm has no role, and would be lost where its topic is encrypted."""
    root = {
        "Sid": "AsIamSays",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account_id}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    alarms = {
        "Sid": "Alarms",
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceAccount": account_id}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [root, alarms]})


def _tls_only(bucket_arn: str) -> str:
    statement = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket_arn, f"{bucket_arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _leftovers() -> aws.s3.BucketLifecycleConfigurationRuleArgs:
    return aws.s3.BucketLifecycleConfigurationRuleArgs(
        id="leftovers",
        status="Enabled",
        filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
        noncurrent_version_expiration=aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
            noncurrent_days=OLD_VERSION_DAYS
        ),
        expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(expired_object_delete_marker=True),
        abort_incomplete_multipart_upload=aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
            days_after_initiation=UPLOAD_DAYS
        ),
    )


def _scratch() -> aws.s3.BucketLifecycleConfigurationRuleArgs:
    return aws.s3.BucketLifecycleConfigurationRuleArgs(
        id="scratch",
        status="Enabled",
        filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=SCRATCH),
        expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(days=SCRATCH_DAYS),
    )

"""Rules of what is kept: nothing in the clear, and no bucket that the public can read.

CloudWatch encrypts every log group, ECR every image and Secrets Manager every secret; there is nothing to ask of those.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pulumi_policy import PolicyResource

from clusterlab.course.rates import INSTANCE, LAUNCH_TEMPLATE, VOLUME
from infra.policy.rule import Resource, Terms, belongs, mappings

BUCKETS = ("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2")
BUCKET_ENCRYPTIONS = (
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2",
)
PUBLIC_ACCESS_BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
BUCKET_POLICY = "aws:s3/bucketPolicy:BucketPolicy"
BUCKET_ACLS = ("aws:s3/bucketAcl:BucketAcl", "aws:s3/bucketAclV2:BucketAclV2")
GCP_BUCKET = "gcp:storage/bucket:Bucket"

ENCRYPTED = {
    VOLUME: "encrypted",
    "aws:efs/fileSystem:FileSystem": "encrypted",
    "aws:rds/cluster:Cluster": "storageEncrypted",
    "aws:rds/instance:Instance": "storageEncrypted",
}
"""The input that must be true."""
KEYED = {
    "aws:sns/topic:Topic": ("kmsMasterKeyId",),
    "aws:sqs/queue:Queue": ("kmsMasterKeyId", "sqsManagedSseEnabled"),
}
"""The inputs of which one must be there."""


def encryption(resource: Resource, terms: Terms) -> Iterator[str]:
    """Disks, file systems, databases, queues and topics are encrypted, and the disks of what launches machines too."""
    del terms
    kind, props = resource.resource_type, resource.props
    if kind in ENCRYPTED and props.get(ENCRYPTED[kind]) is not True:
        yield f"not encrypted; allowed: {ENCRYPTED[kind]}=true"
    if kind in KEYED and not any(props.get(key) for key in KEYED[kind]):
        yield f"not encrypted; allowed: {' or '.join(KEYED[kind])}"
    if kind in DISKS:
        yield from DISKS[kind](props)


def bucket_encryption(resources: Sequence[PolicyResource], terms: Terms) -> Iterator[tuple[Resource | None, str]]:
    """Every bucket of S3 has an encryption of its own."""
    del terms
    rules = [each for each in resources if each.resource_type in BUCKET_ENCRYPTIONS]
    for bucket in resources:
        if bucket.resource_type not in BUCKETS or bucket.props.get("serverSideEncryptionConfiguration"):
            continue
        if not any(belongs(rule, bucket, "bucket") for rule in rules):
            yield bucket, "not encrypted; allowed: with a BucketServerSideEncryptionConfiguration"


def public_buckets(resources: Sequence[PolicyResource], terms: Terms) -> Iterator[tuple[Resource | None, str]]:
    """No bucket can be opened to the public: not by an access list, not by a policy, and not by mistake later."""
    del terms
    blocks = [each for each in resources if each.resource_type == PUBLIC_ACCESS_BLOCK]
    for each in resources:
        if each.resource_type in BUCKETS and not any(belongs(block, each, "bucket") for block in blocks):
            yield each, "the public is not shut out; allowed: with a BucketPublicAccessBlock"
        for message in _public(each):
            yield each, message


def _public(resource: Resource) -> Iterator[str]:
    kind, props = resource.resource_type, resource.props
    if kind == PUBLIC_ACCESS_BLOCK:
        for key in BLOCKS:
            if props.get(key) is not True:
                yield f"{key} is not true"
    if kind in (*BUCKETS, *BUCKET_ACLS) and str(props.get("acl") or "private") not in ("private", "log-delivery-write"):
        yield f"acl={props['acl']}; allowed: private"
    if kind == BUCKET_POLICY:
        for statement in _statements(props.get("policy")):
            yield f"statement {statement.get('Sid', '')!r} allows everybody; allowed: a principal by name"
    if kind == GCP_BUCKET:
        if props.get("publicAccessPrevention") != "enforced":
            yield "the public is not shut out; allowed: publicAccessPrevention=enforced"
        if props.get("uniformBucketLevelAccess") is not True:
            yield "has access lists of its objects; allowed: uniformBucketLevelAccess=true"


def _statements(policy: Any) -> Iterator[Mapping[str, Any]]:
    """Those that allow anybody something without a condition."""
    document = json.loads(policy) if isinstance(policy, str) else policy or {}
    for statement in mappings(document.get("Statement")):
        principal = statement.get("Principal")
        named = list(principal.values()) if isinstance(principal, Mapping) else [principal]
        everybody = any("*" in (name if isinstance(name, list) else [name]) for name in named)
        if statement.get("Effect") == "Allow" and everybody and not statement.get("Condition"):
            yield statement


def _of_instance(props: Mapping[str, Any]) -> Iterator[str]:
    for disk in (props.get("rootBlockDevice") or {}, *mappings(props.get("ebsBlockDevices"))):
        if disk.get("encrypted") is not True:
            yield f"its disk {disk.get('deviceName', '/')} is not encrypted; allowed: encrypted=true"


def _of_template(props: Mapping[str, Any]) -> Iterator[str]:
    """A boolean of a launch template is a text."""
    disks = [each for each in mappings(props.get("blockDeviceMappings")) if each.get("ebs") is not None]
    if not disks:
        yield "its disk is the image's, which nobody says is encrypted; allowed: blockDeviceMappings that are"
    for disk in disks:
        if str(disk["ebs"].get("encrypted")).lower() != "true":
            yield f"its disk {disk.get('deviceName')} is not encrypted; allowed: encrypted=true"


DISKS: dict[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {
    INSTANCE: _of_instance,
    LAUNCH_TEMPLATE: _of_template,
}

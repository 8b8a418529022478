"""Buckets of S3, and each of the settings that the provider has as a resource of its own."""

from __future__ import annotations

from typing import Any

from infra.emulated.account import Account
from infra.emulated.archive import packed
from infra.emulated.resource import Asked, Made

HOME = "us-east-1"
"""The one region that `create_bucket` takes no location for."""
SETTINGS = {
    "bucketVersioning:BucketVersioning": ("put_bucket_versioning", None),
    "bucketPolicy:BucketPolicy": ("put_bucket_policy", None),
    "bucketPublicAccessBlock:BucketPublicAccessBlock": ("put_public_access_block", "publicAccessBlockConfiguration"),
    "bucketLifecycleConfiguration:BucketLifecycleConfiguration": (
        "put_bucket_lifecycle_configuration",
        "lifecycleConfiguration",
    ),
    "bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        "put_bucket_encryption",
        "serverSideEncryptionConfiguration",
    ),
    "bucketOwnershipControls:BucketOwnershipControls": ("put_bucket_ownership_controls", "ownershipControls"),
}
"""By type, the operation, and the argument that all inputs but the bucket go into."""


def bucket(account: Account, asked: Asked) -> Made:
    """`aws.s3.Bucket`."""
    name, tags = asked.take("bucket", asked.name), asked.take("tags")
    asked.drop("forceDestroy")
    where = {} if account.region == HOME else {"CreateBucketConfiguration": {"LocationConstraint": account.region}}
    account.call("s3", "create_bucket", asked.inputs | {"bucket": name} | where)
    if tags:
        account.call("s3", "put_bucket_tagging", {"bucket": name, "Tagging": {"TagSet": tags}})
    domain = f"{name}.s3.{account.region}.amazonaws.com"
    outputs = {"bucket": name, "arn": f"arn:aws:s3:::{name}", "region": account.region}
    return Made(id=name, outputs=outputs | {"bucketDomainName": domain, "bucketRegionalDomainName": domain})


def setting(account: Account, asked: Asked) -> Made:
    """One setting of a bucket."""
    operation, inside = SETTINGS[asked.type.removeprefix("aws:s3/")]
    name = asked.inputs["bucket"]
    asked.drop("expectedBucketOwner", "skipDestroy")
    if inside:
        rest: dict[str, Any] = {key: value for key, value in asked.inputs.items() if key != "bucket"}
        account.call("s3", operation, {"bucket": name, inside: rest})
    else:
        account.call("s3", operation, asked.inputs)
    return Made(id=name)


def object_(account: Account, asked: Asked) -> Made:
    """`aws.s3.BucketObjectv2`, of text or of a file."""
    source, text = asked.take("source"), asked.take("content")
    body = text.encode() if text is not None else packed(source)
    tags = asked.take("tags")
    inputs = asked.rename(kmsKeyId="SSEKMSKeyId") | {"Body": body}
    if tags:
        inputs["Tagging"] = "&".join(f"{key}={value}" for key, value in tags.items())
    answer = account.call("s3", "put_object", inputs)
    return Made(id=inputs["key"], outputs={"etag": answer["ETag"].strip('"'), "versionId": answer.get("VersionId", "")})


MAKERS = {
    "aws:s3/bucket:Bucket": bucket,
    "aws:s3/bucketObjectv2:BucketObjectv2": object_,
    **{f"aws:s3/{name}": setting for name in SETTINGS},
}

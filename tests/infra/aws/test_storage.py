from __future__ import annotations

import json
from typing import Any

import pytest

from clusterlab.cluster import FileSystem
from infra.aws.storage import Storage, StorageArgs
from tests.infra.conftest import NAMING
from tests.infra.graph import Graph, run


def storage(file_system: FileSystem = FileSystem.EFS) -> Graph:
    args = StorageArgs(
        naming=NAMING,
        account_id="123456789012",
        bucket="clusterlab-llm-2026-1",
        subnet_ids=["subnet-1", "subnet-2"],
        security_group_id="sg-1",
        vpc_id="vpc-1",
        file_system=file_system,
    )
    return run(lambda: Storage("storage", args))


def rules() -> dict[str, Any]:
    found = storage().one("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration").inputs["rules"]
    return {each["id"]: each for each in found}


def test_old_versions_unfinished_uploads_and_scratch_end() -> None:
    leftovers, scratch = rules()["leftovers"], rules()["scratch"]
    assert leftovers["filter"] == {"prefix": ""}
    assert leftovers["noncurrentVersionExpiration"] == {"noncurrentDays": 30}
    assert leftovers["abortIncompleteMultipartUpload"] == {"daysAfterInitiation": 7}
    assert (scratch["filter"], scratch["expiration"]) == ({"prefix": "scratch/"}, {"days": 14})
    assert {leftovers["status"], scratch["status"]} == {"Enabled"}


def test_only_scratch_ends_by_age() -> None:
    assert [name for name, rule in rules().items() if "days" in rule.get("expiration", {})] == ["scratch"]


def test_the_bucket_keeps_versions_encrypts_and_is_closed_to_the_public() -> None:
    graph = storage()
    versioning = graph.one("aws:s3/bucketVersioning:BucketVersioning").inputs["versioningConfiguration"]
    assert versioning == {"status": "Enabled"}
    block = graph.one("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock").inputs
    closed = {"blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"}
    assert {key for key, value in block.items() if value is True} == closed
    token = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    [rule] = graph.one(token).inputs["rules"]
    assert rule["applyServerSideEncryptionByDefault"] == {
        "sseAlgorithm": "aws:kms",
        "kmsMasterKeyId": "${Key.storage-key.arn}",
    }


def test_whoever_comes_without_tls_is_refused_everything() -> None:
    policy = storage().one("aws:s3/bucketPolicy:BucketPolicy")
    [statement] = json.loads(policy.inputs["policy"])["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Resource"] == ["${Bucket.storage-bucket.arn}", "${Bucket.storage-bucket.arn}/*"]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_key_turns() -> None:
    assert storage().one("aws:kms/key:Key").inputs["enableKeyRotation"] is True


def test_the_key_is_for_the_account_and_for_its_alarms() -> None:
    root, alarms = json.loads(storage().one("aws:kms/key:Key").inputs["policy"])["Statement"]
    assert root["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}
    assert alarms["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert alarms["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


def test_what_was_learnt_outlives_the_class_and_nothing_stops_a_teardown() -> None:
    resources = storage().resources
    kept = {each.type.partition("/")[0] for each in resources if each.retain_on_delete}
    ended = {each.type.partition("/")[0] for each in resources if not each.retain_on_delete}
    assert (kept, ended) == ({"aws:s3", "aws:kms"}, {"aws:efs", "clusterlab:aws:Storage"})
    assert not any(each.protect or each.inputs.get("forceDestroy") for each in resources)


def test_the_shared_folder_is_encrypted_and_in_each_zone() -> None:
    graph = storage()
    shared = graph.one("aws:efs/fileSystem:FileSystem").inputs
    assert (shared["encrypted"], shared["kmsKeyId"]) == (True, "${Key.storage-key.arn}")
    targets = [each.inputs for each in graph.of("aws:efs/mountTarget:MountTarget")]
    assert sorted(each["subnetId"] for each in targets) == ["subnet-1", "subnet-2"]
    assert all(each["securityGroups"] == ["sg-1"] for each in targets)


def test_lustre_is_a_choice_and_lies_in_one_zone() -> None:
    graph = storage(FileSystem.LUSTRE)
    assert graph.one("aws:fsx/lustreFileSystem:LustreFileSystem").inputs["subnetIds"] == "subnet-1"
    assert not graph.of("aws:efs/fileSystem:FileSystem")


@pytest.mark.parametrize("token", ["aws:s3/bucket:Bucket", "aws:kms/key:Key", "aws:efs/fileSystem:FileSystem"])
def test_what_costs_carries_the_tags_of_the_class(token: str) -> None:
    tags = storage().one(token).inputs["tags"]
    assert (tags["course"], tags["lab"], tags["lease-until"]) == ("llm-2026", "infra", "20261226t000000z")

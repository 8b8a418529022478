from __future__ import annotations

from infra.gcp.storage import Storage, StorageArgs
from tests.infra.conftest import NAMING
from tests.infra.graph import Graph, run

BUCKET = "gcp:storage/bucket:Bucket"


def storage() -> Graph:
    args = StorageArgs(naming=NAMING, project="llm", bucket="llm-runs", region="us-east1", project_number="1234")

    def program() -> None:
        Storage("storage", args)

    return run(program)


def test_the_bucket_is_private_versioned_and_encrypted_with_the_class_s_key() -> None:
    graph = storage()
    bucket = graph.one(BUCKET).inputs
    assert (bucket["publicAccessPrevention"], bucket["uniformBucketLevelAccess"]) == ("enforced", True)
    assert bucket["versioning"] == {"enabled": True}
    assert bucket["encryption"] == {"defaultKmsKeyName": "${CryptoKey.storage-key.id}"}
    use = graph.one("gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember")
    assert use.inputs["member"] == "serviceAccount:service-1234@gs-project-accounts.iam.gserviceaccount.com"
    assert use.urn in graph.one(BUCKET).needs


def test_labels_are_the_cost_tags_as_google_cloud_takes_them() -> None:
    assert storage().one(BUCKET).inputs["labels"] == {
        "course": "llm-2026",
        "lab": "infra",
        "lease-until": "20261226t000000z",
    }


def test_only_old_versions_and_unfinished_uploads_are_deleted() -> None:
    rules = storage().one(BUCKET).inputs["lifecycleRules"]
    assert [(each["action"]["type"], each["condition"]) for each in rules] == [
        ("Delete", {"numNewerVersions": 1, "daysSinceNoncurrentTime": 30, "withState": "ARCHIVED"}),
        ("AbortIncompleteMultipartUpload", {"age": 7}),
    ]

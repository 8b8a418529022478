from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from clusterlab.rehearsal.transport import TLS_ONLY, take_for_tls

BUCKET = "closed"
DENIED = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{BUCKET}/*"}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    take_for_tls()
    with mock_aws():
        client = boto3.session.Session("test", "test", region_name="us-east-1").client("s3")
        client.create_bucket(Bucket=BUCKET)
        yield client


def put_policy(s3: Any, **statement: Any) -> None:
    document = {"Version": "2012-10-17", "Statement": [DENIED | statement]}
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(document))


def test_a_bucket_that_asks_for_tls_takes_objects_and_keeps_its_policy(s3: Any) -> None:
    put_policy(s3, Condition=TLS_ONLY)
    s3.put_object(Bucket=BUCKET, Key="run.json", Body=b"{}")
    assert s3.get_object(Bucket=BUCKET, Key="run.json")["Body"].read() == b"{}"
    (statement,) = json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])["Statement"]
    assert statement["Condition"] == TLS_ONLY


def test_what_a_policy_denies_for_another_reason_stays_denied(s3: Any) -> None:
    put_policy(s3)
    with pytest.raises(ClientError, match="403"):
        s3.put_object(Bucket=BUCKET, Key="run.json", Body=b"{}")

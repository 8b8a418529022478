from __future__ import annotations

from infra.aws.secrets import Secrets, SecretsArgs
from tests.infra.conftest import NAMING
from tests.infra.graph import Graph, run

KEY = "arn:aws:kms:us-east-1:123456789012:key/1"


def secrets() -> Graph:
    args = SecretsArgs(naming=NAMING, key_arn=KEY, names=("hf-token",))
    return run(lambda: Secrets("secrets", args))


def test_a_secret_is_made_under_the_class_s_key_and_without_a_value() -> None:
    graph = secrets()
    secret = graph.one("aws:secretsmanager/secret:Secret").inputs
    assert (secret["name"], secret["kmsKeyId"]) == ("clusterlab-llm-2026/hf-token", KEY)
    assert not graph.of("aws:secretsmanager/secretVersion:SecretVersion")


def test_a_torn_down_class_can_be_made_again_at_once() -> None:
    assert secrets().one("aws:secretsmanager/secret:Secret").inputs["recoveryWindowInDays"] == 0

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from clusterlab.course.preflight.check import Check, Verdict
from clusterlab.course.preflight.class_image import LOCK, look
from clusterlab.reaper.cloud import Cloud
from tests.clusterlab.conftest import ROOT
from tests.clusterlab.course.preflight.conftest import Make

REPOSITORY = "clusterlab-llm-2026/train"
TAG = "2c26b46b68ffc68f"
"""Of `foo`."""


@pytest.fixture
def emulated(session: Any, house: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    (house / "images").mkdir()
    (house / LOCK).write_text("foo")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    with mock_aws():
        yield Cloud(session=session)


def push(client: Any, tag: str) -> None:
    given = {"imageManifest": "{}", "imageManifestMediaType": "application/vnd.oci.image.manifest.v1+json"}
    client.put_image(repositoryName=REPOSITORY, imageTag=tag, **given)


def looked(make: Make, cloud: Cloud) -> Check:
    [check] = look(make(mode="shared"), cloud)
    return check


def test_an_image_that_was_pushed_passes(make: Make, emulated: Cloud) -> None:
    client = emulated.client("ecr", "us-east-1")
    client.create_repository(repositoryName=REPOSITORY)
    push(client, TAG)
    check = looked(make, emulated)
    assert (check.verdict, check.seen) == (Verdict.PASS, f"{REPOSITORY}:{TAG} in us-east-1 is there")


def test_one_of_another_lock_fails(make: Make, emulated: Cloud) -> None:
    client = emulated.client("ecr", "us-east-1")
    client.create_repository(repositoryName=REPOSITORY)
    push(client, "older")
    check = looked(make, emulated)
    assert (check.verdict, check.seen.endswith("ImageNotFoundException")) == (Verdict.FAIL, True)


def test_no_registry_fails(make: Make, emulated: Cloud) -> None:
    assert looked(make, emulated).verdict is Verdict.FAIL


def test_a_class_of_machines_for_each_has_none(make: Make, emulated: Cloud) -> None:
    assert list(look(make(), emulated)) == []


def test_repository_and_lock_are_those_of_the_stack() -> None:
    stack = (ROOT / "infra" / "on_aws.py").read_text()
    for line in ('RAY_IMAGE = "train"', '"images" / "train.lock"', "sha256(LOCK.read_bytes()).hexdigest()[:16]"):
        assert line in stack
    assert (ROOT / LOCK).is_file()


def test_a_repository_without_the_lock_cannot_say_which(make: Make, emulated: Cloud, house: Path) -> None:
    (house / LOCK).unlink()
    assert looked(make, emulated).verdict is Verdict.WARN

"""Whether the image that a shared cluster's Ray runs in was pushed to the class's registry."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from clusterlab.cluster import Mode
from clusterlab.course.preflight.check import Check, failed, not_asked, passed
from clusterlab.course.preflight.subject import Subject
from clusterlab.reaper.cloud import ERRORS, Cloud, code_of, told

NAME = "class image"
IMAGE = "train"
LOCK = Path("images/train.lock")
"""Whose digest is the image's tag, as the stack has it."""
DIGITS = 16
ABSENT = ("ImageNotFoundException", "RepositoryNotFoundException")


def look(subject: Subject, cloud: Cloud) -> Iterator[Check]:
    """Of a class whose students submit to one cluster; the others have none."""
    regions = subject.cluster.regions("aws")
    if subject.cluster.mode is not Mode.SHARED or not regions:
        return
    lock = subject.root / LOCK
    if not lock.is_file():
        yield not_asked(NAME, f"{LOCK}: no such file, and its digest is the image's tag", "restore it")
        return
    repository = f"clusterlab-{subject.cluster.course}/{IMAGE}"
    tag = sha256(lock.read_bytes()).hexdigest()[:DIGITS]
    place, todo = f"{repository}:{tag} in {regions[0]}", f"`make image-{IMAGE}`, then tag it so and push it there"
    try:
        client = cloud.client("ecr", regions[0])
        client.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])
    except ERRORS as error:
        if code_of(error) in ABSENT:
            yield failed(NAME, f"{place}: {code_of(error)}", todo)
        else:
            yield not_asked(NAME, f"{place}: {told(error)}", "mend that, or look at it in ECR by hand")
    else:
        yield passed(NAME, f"{place} is there")

"""What a lab's container images must be: pinned, by a digest of `images/images.yaml`, and where asked a verified one.

A job says by a property of its Config, `images`, which of its values are images that it runs.
"""

from __future__ import annotations

from collections.abc import Iterator

from clusterlab.config import Scale
from clusterlab.errors import Problem
from clusterlab.images.image import DIGEST, PATH, Images
from clusterlab.rules import Subject, texts

IMAGE_ID = "resources.image_id"
DOCKER = "docker:"
"""How an `image_id` of SkyPilot begins that is a container's."""


def image_problems(subject: Subject, images: Images | None, *, strict: bool) -> Iterator[Problem]:
    """What is wrong with the images that a lab names, in `image_id` and in its job's values at each scale.

    Args:
        subject: The lab.
        images: Those of the repository; None where it has no such file, and digests are all that is asked for.
        strict: Whether a registry must have given the digest.
    """
    path = str(subject.task.path)
    for key, reference in dict.fromkeys(references(subject)):
        if not DIGEST.fullmatch(reference.partition("@")[2]):
            message = f"{subject.task.at(IMAGE_ID)!r} can move; allowed: docker:<image>@sha256:<64 hex>"
            yield Problem(path=path, key=key, message=message)
        elif images is not None:
            yield from _against(images, path, key, reference, strict=strict)


def references(subject: Subject) -> Iterator[tuple[str, str]]:
    """Each image by its place in the lab's file."""
    image_id = subject.task.at(IMAGE_ID)
    if isinstance(image_id, str) and image_id.startswith(DOCKER):
        yield IMAGE_ID, image_id.removeprefix(DOCKER)
    for scale in Scale:
        config = subject.config_at(scale)
        used = getattr(config, "images", ())
        for name, value in texts(config).items():
            if value in used:
                yield f"envs.{name.upper()}", value


def _against(images: Images, path: str, key: str, reference: str, *, strict: bool) -> Iterator[Problem]:
    image = images.meant_by(reference)
    if image is None:
        pinned = ", ".join(each.reference for each in images.by_name.values() if each.digest) or "none yet"
        yield Problem(path=path, key=key, message=f"{reference} is not in {PATH}; allowed: {pinned}")
    elif strict and image.verified is None:
        message = f"false, and {path} ({key}) uses it; `clusterlab images resolve {image.name}` asks its registry"
        yield Problem(path=str(PATH), key=f"{image.name}.verified", message=message)

"""The class's images in ECR: a tag that was pushed stays what it is, and each push is scanned.

Images are made again from `images/` and its locks, so the repositories end with the class, full or not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.naming import Naming

UNTAGGED_DAYS = 14
KEPT = 20
"""Images of a repository; older ones are ended."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistryArgs:
    """What a registry is made of."""

    naming: Naming
    images: tuple[str, ...]
    """A repository for each, such as train."""


class Registry(pulumi.ComponentResource):
    """Repositories of images."""

    repository_urls: dict[str, pulumi.Output[str]]
    repository_arns: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clusterlab:aws:Registry", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.repository_urls, self.repository_arns = {}, {}
        for image in args.images:
            repository = aws.ecr.Repository(
                f"{name}-{image}",
                name=f"{args.naming.name}/{image}",
                image_tag_mutability="IMMUTABLE",
                image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
                force_delete=True,
                tags=args.naming.tags(image),
                opts=child,
            )
            aws.ecr.LifecyclePolicy(f"{name}-{image}", repository=repository.name, policy=_lifecycle(), opts=child)
            self.repository_urls[image], self.repository_arns[image] = repository.repository_url, repository.arn
        self.register_outputs({"repository_urls": self.repository_urls})


def _lifecycle() -> str:
    untagged = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days"}
    selections = [
        ("untagged", untagged | {"countNumber": UNTAGGED_DAYS}),
        ("old", {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": KEPT}),
    ]
    rules = [
        {"rulePriority": priority, "description": what, "selection": selection, "action": {"type": "expire"}}
        for priority, (what, selection) in enumerate(selections, 1)
    ]
    return json.dumps({"rules": rules})

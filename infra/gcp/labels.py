"""The cost tags as Google Cloud's labels, whose letters are lower-case."""

from __future__ import annotations

from infra.naming import Naming


def labels(naming: Naming, part: str) -> dict[str, str]:
    """The tags of a part without `Name`, which Google Cloud's resources have of their own."""
    return {key: value for key, value in naming.tags(part).items() if key != "Name"}

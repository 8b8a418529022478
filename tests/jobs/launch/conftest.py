"""What tests of launching share: a copy of the repository, and one Ray for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.launch.embedded import Embedded, embedded_ray
from tests.repository import copy_repository


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture(scope="session")
def head(repository: Path) -> Iterator[Embedded]:
    """A Ray head that stands for the class's cluster."""
    with embedded_ray(root=repository, log=repository / "ray.log") as head:
        yield head

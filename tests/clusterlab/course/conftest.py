"""A project of Google Cloud, for whatever looks for a class there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clusterlab.google.emulation import TOKEN, Project, serving


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    project = Project()
    with serving(project) as endpoint:
        monkeypatch.setenv("GOOGLE_COMPUTE_CUSTOM_ENDPOINT", endpoint)
        monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", TOKEN)
        yield project

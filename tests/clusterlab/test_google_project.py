from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.document import Document
from clusterlab.google_project import GoogleProject, read_project

GIVEN = {"project": "llm-2026", "billing_account": "01AB23-000000-FFFFFF", "students": "llm@example.org"}


def read(tmp_path: Path, given: dict[str, str]) -> tuple[GoogleProject | None, list[str]]:
    path = tmp_path / "class.yaml"
    path.write_text("gcp: {" + ", ".join(f"{key}: {value}" for key, value in given.items()) + "}")
    document = Document.load(path, [])
    return read_project(document, "gcp"), [problem.key for problem in document.problems]


def test_a_project_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, GIVEN) == (GoogleProject(**GIVEN), [])


def test_a_project_may_be_of_an_organization(tmp_path: Path) -> None:
    assert read(tmp_path, GIVEN | {"organization": "123456789012"}) == (
        GoogleProject(**GIVEN, organization="123456789012"),
        [],
    )
    assert read(tmp_path, GIVEN | {"organization": "example.org"})[1] == ["gcp.organization"]


@pytest.mark.parametrize(
    ("key", "value"),
    [("project", "My Project"), ("billing_account", "42"), ("students", "everybody"), ("students", ""), ("zone", "a")],
)
def test_a_fault_of_a_project_is_named(tmp_path: Path, key: str, value: str) -> None:
    assert read(tmp_path, GIVEN | {key: value})[1] == [f"gcp.{key}"]

from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.catalog import Catalog
from clusterlab.cluster import FOLDER, Cluster, offered
from clusterlab.errors import InputError
from clusterlab.infra import infra_of
from clusterlab.lab import Lab, lab_paths
from tests.clusterlab.conftest import CLASS, ROOT, spoil

CLASSES = sorted(path for path in (ROOT / FOLDER).glob("*.yaml") if path.stem != "slurm")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / FOLDER / "llm-2026.yaml"
    path.parent.mkdir()
    path.write_text(CLASS)
    return path


def test_classes_were_found() -> None:
    assert CLASSES


@pytest.mark.parametrize("path", CLASSES, ids=lambda path: path.stem)
def test_each_class_can_be_read_and_the_catalog_has_its_places(path: Path) -> None:
    assert Cluster.load(path).offered(Catalog.load()).accelerators()


@pytest.mark.parametrize("path", lab_paths(ROOT / "labs"), ids=lambda path: path.stem)
def test_each_lab_has_its_class(path: Path) -> None:
    assert (ROOT / FOLDER / f"{Lab.load(path).resources.labels['course']}.yaml").is_file()


def test_a_course_is_offered_what_its_class_says(file: Path) -> None:
    rows = offered(Catalog.load(), "llm-2026", file.parents[1]).rows
    assert {str(infra_of(row)) for row in rows} == {"aws/us-east-1", "gcp/us-east1", "local"}


@pytest.mark.parametrize("course", [None, "llm-2025", "../clusters/llm-2026"])
def test_a_course_without_a_class_is_offered_everything(file: Path, course: str | None) -> None:
    catalog = Catalog.load()
    assert offered(catalog, course, file.parents[1]) == catalog


FAULTS = {
    "course": ("course: llm-2026", "course: llm-2025", "course: 'llm-2025'; allowed: llm-2026, as the file is named"),
    "no infra": ("infra: [aws/us-east-1, gcp/us-east1]", "infra: []", "infra: missing; allowed: a list of clouds"),
    "infra": ("aws/us-east-1", "aws/a/b", "infra: 'aws/a/b'; allowed: a cloud or a region of it"),
    "key": ("infra:", "infras: x\ninfra:", "infras: unknown; allowed: course, "),
}


@pytest.mark.parametrize(("old", "new", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_named_with_file_and_key(file: Path, old: str, new: str, message: str) -> None:
    spoil(file, old, new)
    with pytest.raises(InputError) as error:
        Cluster.load(file)
    assert f"{file}: {message}" in str(error.value)


def test_a_place_without_a_price_is_named_with_the_file(file: Path) -> None:
    spoil(file, "gcp/us-east1", "gcp/moon1")
    with pytest.raises(InputError, match=r"llm-2026.yaml: infra: gcp/moon1: not in the catalog; allowed: aws/"):
        offered(Catalog.load(), "llm-2026", file.parents[1])

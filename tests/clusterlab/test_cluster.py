from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from clusterlab.catalog import Catalog
from clusterlab.cluster import FOLDER, Assignment, Budget, Cluster, offered
from clusterlab.config import Scale
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


def test_what_nobody_has_said_of_a_class_is_not_known(file: Path) -> None:
    cluster = Cluster.load(file)
    assert (cluster.roster, cluster.labs, cluster.budget) == (None, (), Budget(course_usd=None, student_usd=None))
    with pytest.raises(InputError, match=r"llm-2026.yaml: roster: missing; allowed: a number, a list of labels,"):
        cluster.num_students()


def test_a_class_says_which_labs_at_which_scale_how_often_and_for_how_much(file: Path) -> None:
    file.write_text(CLASS + "labs: {qlora: {scale: full, runs: 2}, zero: }\nbudget_usd: {course: 100.5}\n")
    cluster = Cluster.load(file)
    first, second = cluster.labs
    assert first == Assignment(lab="qlora", scale=Scale.FULL, runs=2)
    assert second == Assignment(lab="zero", scale=None, runs=1)
    assert cluster.budget == Budget(course_usd=Decimal("100.5"), student_usd=None)


@pytest.mark.parametrize(("roster", "number"), [("24", 24), ("[ana, ben]", 2), ("students.csv", 3)])
def test_a_roster_is_a_number_a_list_or_a_file(file: Path, roster: str, number: int) -> None:
    (file.parent / "students.csv").write_text("\ufeffname,student\nAna,ana\nBen,ben\nEva,eva\n")
    file.write_text(f"{CLASS}roster: {roster}\n")
    assert Cluster.load(file).num_students() == number


def test_the_roster_is_not_read_to_know_where_machines_may_be(file: Path) -> None:
    file.write_text(f"{CLASS}roster: kept-elsewhere.csv\n")
    assert offered(Catalog.load(), "llm-2026", file.parents[1]).accelerators()


ROSTERS = {
    "missing": (None, "students.csv: cannot be read: "),
    "column": ("name\nana\n", "students.csv: lacks the column `student`"),
    "twice": ("student\nana\nana\n", "students.csv: student: 'ana' stands twice"),
    "no label": ("student\nAna D\n", "students.csv: student: 'Ana D' is not a label"),
    "empty": ("student\n", "students.csv: student: has no student; allowed: one a line"),
}


@pytest.mark.parametrize(("text", "message"), ROSTERS.values(), ids=ROSTERS.keys())
def test_a_broken_roster_is_named(file: Path, text: str | None, message: str) -> None:
    if text is not None:
        (file.parent / "students.csv").write_text(text)
    file.write_text(f"{CLASS}roster: students.csv\n")
    with pytest.raises(InputError) as error:
        Cluster.load(file).num_students()
    assert message in str(error.value)


FAULTS = {
    "course": ("course: llm-2026", "course: llm-2025", "course: 'llm-2025'; allowed: llm-2026, as the file is named"),
    "no infra": ("infra: [aws/us-east-1, gcp/us-east1]", "infra: []", "infra: missing; allowed: a list of clouds"),
    "infra": ("aws/us-east-1", "aws/a/b", "infra: 'aws/a/b'; allowed: a cloud or a region of it"),
    "student": (
        "course:",
        "roster: [ana, Ben, ana]\ncourse:",
        "roster: 'ana' stands twice; allowed: each once",
    ),
    "no label": ("course:", "roster: [ana, Ben]\ncourse:", "roster: 'Ben' is not a label; allowed: 1 to 63 of a-z"),
    "number": ("course:", "roster: -3\ncourse:", "roster: -3; must be a whole number from 0"),
    "scale": (
        "course:",
        "labs: {qlora: {scale: big}}\ncourse:",
        "labs.qlora.scale: 'big'; allowed: tiny, small",
    ),
    "runs": ("course:", "labs: {qlora: {runs: few}}\ncourse:", "labs.qlora.runs: 'few'; must be a whole number from 0"),
    "lab key": ("course:", "labs: {qlora: {run: 1}}\ncourse:", "labs.qlora.run: unknown; allowed: runs, scale"),
    "budget": ("course:", "budget_usd: {course: -1}\ncourse:", "budget_usd.course: -1; allowed: USD from 0"),
    "no budget": ("course:", "budget_usd: {student: much}\ncourse:", "budget_usd.student: 'much'; must be a number"),
    "budgets": ("course:", "budget_usd: {team: 1}\ncourse:", "budget_usd.team: unknown; allowed: course, student"),
    "key": ("infra:", "infras: x\ninfra:", "infras: unknown; allowed: budget_usd, course, "),
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

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from clusterlab.document import Document
from clusterlab.errors import InputError
from clusterlab.rehearsal.course.roles import Roles
from clusterlab.rehearsal.course.tasks import copy_lab, copy_shared, move_class
from tests.clusterlab.conftest import ROOT

DEMO = ROOT / "clusters" / "demo.yaml"
TODAY = date(2027, 3, 1)


def test_the_class_begins_today_and_all_its_days_move_along(tmp_path: Path) -> None:
    cluster = move_class(DEMO, tmp_path / "class", TODAY)
    assert cluster.dates
    assert (cluster.dates.start, cluster.dates.end) == (TODAY, date(2027, 3, 4))
    assert {each.due for each in cluster.labs} == {TODAY}
    assert len(cluster.students()) == 12
    assert len(cluster.labs) == 3


def test_a_lab_and_the_shared_cluster_get_the_class_s_label_and_nothing_else(tmp_path: Path) -> None:
    lab = copy_lab("qlora", "demo", ROOT, tmp_path)
    assert lab.resources.labels == {"course": "demo", "lab": "qlora"}
    source = (ROOT / "labs" / "qlora.yaml").read_text()
    assert lab.path.read_text() == source.replace("course: llm-2026", "course: demo")
    shared = Document.load(copy_shared("demo", ROOT, tmp_path), [])
    assert shared.at("resources.labels.course") == "demo"


def test_every_accident_has_a_student_of_its_own() -> None:
    roles = Roles.of(["ana", "ben", "carla", "dario"], path="x")
    assert (roles.spot, roles.forgetful, roles.runaway) == ("ben", "carla", "dario")


def test_a_class_too_small_for_its_accidents_is_refused() -> None:
    with pytest.raises(InputError, match=r"x: roster: 2 students; allowed: 3 or more"):
        Roles.of(["ana", "ben"], path="x")

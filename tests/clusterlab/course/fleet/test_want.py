"""Which clusters a class has, and what SkyPilot is told of each."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from clusterlab.cluster import Cluster
from clusterlab.course.fleet.launcher import Want
from clusterlab.course.fleet.want import cluster_name, due_next, token_of, wants
from clusterlab.errors import InputError
from clusterlab.tags import LABEL
from tests.clusterlab.conftest import ROOT, Apply, spoil
from tests.needs import needs_skypilot

DAY = date(2026, 10, 1)


def of(path: Path, *, occasion: str = "tuesday", lab: str | None = None, students: Sequence[str] = ()) -> list[Want]:
    return wants(Cluster.load(path), path.parents[1], day=DAY, occasion=occasion, lab=lab, students=students)


def test_each_student_has_one_with_the_labs_machines_and_nothing_to_run(class_file: Path) -> None:
    found = of(class_file)
    assert [each.name for each in found] == [f"llm-2026-{name}" for name in ("ana", "ben", "cleo", "dan")]
    task = found[0].task
    assert task["resources"]["accelerators"] == {"L4": 1, "A10G": 1}
    assert task["envs"] == {"SCALE": "single"}
    assert task["setup"]
    assert "run" not in task
    assert "secrets" not in task
    labels = task["resources"]["labels"]
    wanted = {"course": "llm-2026", "lab": "toy", "student": "ana", "team": "red"}
    assert labels == wanted | {"run": labels["run"]}
    assert "team" not in found[2].task["resources"]["labels"]


def test_it_waits_an_hour_in_class_and_then_as_long_as_its_lab_says(class_file: Path) -> None:
    [want, *_] = of(class_file)
    assert want.task["resources"]["autostop"] == {"idle_minutes": 60, "down": True}
    assert (want.idle_minutes, want.idle_minutes_after) == (60, 10)


def test_tried_again_it_is_the_same_run_and_at_the_next_meeting_another(class_file: Path) -> None:
    def runs(occasion: str) -> list[str]:
        return [each.task["resources"]["labels"]["run"] for each in of(class_file, occasion=occasion)]

    assert runs("tuesday") == runs("tuesday")
    assert len({*runs("tuesday"), *runs("thursday")}) == 8
    assert all(LABEL.fullmatch(run) for run in runs("tuesday"))


def test_the_lab_is_the_one_that_is_due_next(class_file: Path) -> None:
    labs = "{second: {due: 2026-10-20}, first: {due: 2026-10-06}, free: {}}"
    spoil(class_file, "{toy: {scale: single, due: 2026-10-06}}", labs)
    cluster = Cluster.load(class_file)
    names = [due_next(cluster, date(2026, 10, day)) for day in (1, 6, 7, 21)]
    assert [each.lab for each in names if each] == ["first", "first", "second", "free"]


def test_a_student_or_lab_that_the_class_has_not_is_refused(class_file: Path) -> None:
    with pytest.raises(InputError, match=r"--student: 'eve'; allowed: of the roster, ana, ben"):
        of(class_file, students=["eve"])
    with pytest.raises(InputError, match=r"labs: 'fsdp'; allowed: a lab of the class, of toy"):
        of(class_file, lab="fsdp")
    assert [each.owner["student"] for each in of(class_file, students=["cleo"])] == ["cleo"]


def test_a_name_begins_with_a_letter_as_skypilot_wants() -> None:
    assert cluster_name("llm-2026", "ana") == "llm-2026-ana"
    assert cluster_name("2026-llm") == "c-2026-llm"


def test_a_shared_class_has_one_whose_token_is_made_once_and_nobody_elses_to_read(
    class_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    (class_file.parents[1] / "sky.yaml").write_text((ROOT / "sky.yaml").read_text())
    class_file.write_text(class_file.read_text() + "mode: shared\n")
    [want] = of(class_file)
    assert want.name == "llm-2026"
    assert want.task["run"]
    assert want.task["num_nodes"] == 2
    assert want.owner == {"course": "llm-2026", "lab": "shared"}
    # Its task is a job until nobody came for so long.
    assert want.task["envs"]["IDLE_MINUTES"] == "50"
    token = token_of("llm-2026", class_file.parents[1])
    assert want.task["secrets"] == {"RAY_AUTH_TOKEN": token}
    assert len(token) == 48
    kept = class_file.parents[1] / "classes" / "llm-2026" / "ray.token"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert [each.name for each in kept.parent.iterdir()] == ["ray.token"]
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    monkeypatch.setenv("RAY_AUTH_TOKEN", "chosen-by-somebody")
    assert of(class_file)[0].task["secrets"] == {"RAY_AUTH_TOKEN": "chosen-by-somebody"}


@needs_skypilot
def test_the_course_policy_lets_it_pass_and_gives_it_a_lease(class_file: Path, apply: Apply, sky: Any) -> None:
    [want, *_] = of(class_file, students=["dan"])
    task = apply(sky.Task.from_yaml_config(yaml.safe_load(yaml.safe_dump({**want.task, "workdir": "."}))))
    [labels] = {tuple(sorted(one.labels.items())) for one in task.resources}
    assert dict(labels)["student"] == "dan"
    assert dict(labels)["run"] == want.task["resources"]["labels"]["run"]
    assert "lease-until" in dict(labels)

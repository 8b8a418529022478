"""The stand-in for SkyPilot's task is to the policy what SkyPilot's own is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from clusterlab.errors import InputError
from clusterlab.gate import high_usd
from clusterlab.simulation.course import Exercise
from clusterlab.simulation.student import WRONG
from clusterlab.simulation.task import Task
from clusterlab.tags import Tags
from tests.clusterlab.conftest import ROOT
from tests.clusterlab.simulation.conftest import Begin, course
from tests.needs import needs_skypilot

pytestmark = needs_skypilot

NOW = datetime(2026, 9, 7, 12, tzinfo=UTC)
Decided = tuple[Tags, Decimal] | list[str]
LABELS = {"student": "ana", "run": "r1"}


def _of_skypilot(sky: Any, exercise: Exercise, stand_in: Task) -> Any:
    """The lab's own file, launched as the stand-in is."""
    values = yaml.safe_load(Path(ROOT / "labs" / f"{exercise.lab.name}.yaml").read_text())
    [asked] = stand_in.resources
    autostop = asked.autostop_config and {"idle_minutes": asked.autostop_config.idle_minutes, "down": True}
    values["resources"] |= {
        "labels": dict(asked.labels),
        "use_spot": asked.use_spot,
        "autostop": autostop,
        "ports": list(asked.ports) or None,
        "accelerators": dict(asked.accelerators or {}),
    }
    values["envs"] = values["envs"] | {"SCALE": str(exercise.scale)}
    for key in ("autostop", "ports"):
        if values["resources"][key] is None:
            del values["resources"][key]
    return sky.Task.from_yaml_config({key: value for key, value in values.items() if key not in ("workdir", "secrets")})


def _decided(task: Any, exercise: Exercise, catalog: Any) -> Decided:
    from clusterlab.api_server import launch_of
    from clusterlab.policy import admit

    booked: list[tuple[Tags, Decimal]] = []

    def book(task: Any, tags: Tags, catalog: Any, now: datetime) -> None:
        del now
        booked.append((tags, high_usd(task, exercise.lab, catalog, lease=timedelta(hours=12))))

    try:
        admit(launch_of(task), catalog, None, NOW, book=book)
    except InputError as error:
        return sorted(map(str, error.problems))
    return booked[0]


@pytest.mark.parametrize("spoil", [None, *WRONG])
def test_the_policy_decides_alike(sky: Any, begin: Begin, spoil: Any) -> None:
    del begin  # which forgets the variables of whoever runs the tests
    made = course(2, 7, 1)
    for exercise in made.exercises[:3]:
        stand_in = exercise.task(LABELS, use_spot=False)
        stand_in.resources = [replace(each) if spoil is None else spoil(each) for each in stand_in.resources]
        real = _of_skypilot(sky, exercise, stand_in)
        decided = _decided(stand_in, exercise, made.catalog)
        assert decided == _decided(real, exercise, made.catalog)
        assert isinstance(decided, tuple) == (spoil is None)

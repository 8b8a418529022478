from __future__ import annotations

import json
import os

import pytest

from jobs.collective.group import Group
from tests.jobs.parallel.losses import GOLDEN, WAYS, golden, losses, write

AGREEMENT = 1e-4
"""Of a loss in nats, over the 20 steps of a lab: float32 sums in another order, and what AdamW makes of them."""
ANOTHER_MACHINE = 5e-4
"""The same between processors that add in other orders."""
JOBS = [way for way in WAYS if "-" not in way]


@pytest.fixture(scope="module")
def found(pair: Group) -> dict[str, list[float]]:
    """Of every way, all on the same two ranks."""
    return {way: pair.call(losses, way)[0] for way in WAYS}


@pytest.mark.parametrize("way", ["zero-0", "zero", "megatron"])
def test_the_curves_of_all_ways_are_one(found: dict[str, list[float]], way: str) -> None:
    assert len(found["fsdp"]) == 20
    assert found[way] == pytest.approx(found["fsdp"], abs=AGREEMENT)


@pytest.mark.parametrize("job", JOBS)
def test_the_losses_are_the_golden_ones(found: dict[str, list[float]], job: str) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        write(job, "cpu", found[job])
    wanted = json.loads(golden(job, "cpu").read_text())
    assert found[job] == pytest.approx(wanted, abs=ANOTHER_MACHINE), "`make golden` rewrites it"


def test_no_golden_file_is_left_without_its_job() -> None:
    assert {path.stem.rpartition("-")[0] for path in GOLDEN.iterdir()} == set(JOBS)

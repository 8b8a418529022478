from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from clusterlab.catalog import Catalog
from clusterlab.errors import InputError
from clusterlab.metering import slurm
from clusterlab.metering.observation import Observation
from clusterlab.slurm.centre import Centre, Rates
from tests.clusterlab.metering.conftest import NOON, TAGS

START = int(NOON.timestamp())
# As slurm-wlm 22.05.8 says it with SLURM_TIME_FORMAT=%s.
RECORD = (
    "JobId={id} JobName=c1-abc UserId=ubuntu(1000) GroupId=ubuntu(1000) JobState={state} Reason=None Dependency=(null) "
    "RunTime=00:30:00 TimeLimit=1-00:00:00 SubmitTime=1 EligibleTime=1 StartTime={start} EndTime={end} Deadline=N/A "
    "NodeList= BatchHost=n1 NumNodes=2 NumCPUs=4 NumTasks=2 CPUs/Task=2 ReqTRES=cpu=99,mem=99G TRES=cpu=4,{mem}node=2 "
    "JOB_GRES={gres}   Nodes=n[1-2] CPU_IDs=0-1 Mem=1024 GRES= Power= TresPerNode=gres:gpu:l4:1 \n"
)


@pytest.fixture
def centre() -> Centre:
    known = Centre.load(Path(__file__).parents[3] / "clusters" / "slurm.yaml", Catalog.load())
    rates = Rates(cpu=Decimal("0.01"), memory_gib=Decimal("0.001"), infra=(), accelerators={"L4": Decimal("0.5")})
    return replace(known, name="centre", usd_per_hour=rates)


def look(centre: Centre, at: datetime = NOON + timedelta(hours=1), **values: object) -> Observation:
    usual: dict[str, object] = {"id": 7, "state": "RUNNING", "start": START, "end": START + 86400}
    text = RECORD.format(**({"mem": "mem=2G,", "gres": "gpu:l4:2"} | usual | values))
    return slurm.observe(text, [("7", TAGS)], centre, at=at)


def test_a_running_job_goes_on_at_the_rates_of_the_centre(centre: Centre) -> None:
    [seen] = look(centre).sightings
    assert (seen.start, seen.end, seen.region) == (NOON, None, "centre")
    assert seen.price.usd_per_hour == 4 * Decimal("0.01") + 2 * Decimal("0.001") + 2 * Decimal("0.5")
    assert (seen.shape, seen.tags) == ("2 nodes, 4 cpus, 2 l4", TAGS)


def test_an_ended_job_ended_when_slurm_says(centre: Centre) -> None:
    [seen] = look(centre, state="COMPLETED", end=START + 1800).sightings
    assert seen.end == NOON + timedelta(minutes=30)


def test_a_suspended_job_is_not_paid_until_its_time_limit(centre: Centre) -> None:
    at = NOON + timedelta(hours=1)
    assert look(centre, at, state="SUSPENDED").sightings[0].end == at


def test_numbers_that_slurm_gives_anew_are_another_job(centre: Centre) -> None:
    first, second = (look(centre, start=start).sightings[0].resource_id for start in (START, START + 60))
    assert first != second


def test_jobs_of_others_are_not_the_course_s(centre: Centre) -> None:
    assert look(centre, id=8).sightings == ()


@pytest.mark.parametrize("values", [{"gres": "gpu:h100:2"}, {"mem": ""}])
def test_what_the_centre_has_no_rate_for_has_no_known_price(centre: Centre, values: dict[str, Any]) -> None:
    assert look(centre, **values).sightings[0].price.usd_per_hour is None


def test_gpus_without_a_type_are_the_centre_s_only_ones(centre: Centre) -> None:
    assert look(centre, gres="gpu:2").sightings[0].price.usd_per_hour == look(centre).sightings[0].price.usd_per_hour


def test_local_times_are_refused_for_no_one_knows_their_zone(centre: Centre) -> None:
    with pytest.raises(
        InputError, match=r"slurm: job 7: StartTime: '2026-11-25T12:00:00'; allowed: seconds since 1970"
    ):
        look(centre, start="2026-11-25T12:00:00")


def test_sky_status_says_whose_a_slurm_job_is() -> None:
    records: list[dict[str, Any]] = [
        {"name": "a", "cloud": "Slurm", "node_names": "job7-n1", "user_name": "u", "labels": TAGS},
        {
            "name": "b",
            "cloud": "Slurm",
            "node_names": "job8-n1",
            "user_name": "u",
            "labels": TAGS | {"course": "other"},
        },
        {"name": "c", "cloud": "AWS", "node_names": "x", "user_name": "u", "labels": TAGS},
        {"name": "d", "cloud": "Slurm", "node_names": "job9-n1", "user_name": "u", "labels": None},
    ]
    assert list(slurm.course_clusters(records, course="llm-2026")) == [("7", TAGS)]


def test_instants_are_utc(centre: Centre) -> None:
    [seen] = look(centre).sightings
    assert seen.start is not None
    assert seen.start.tzinfo is UTC

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clusterlab.errors import InputError
from clusterlab.report.record_check import checked
from clusterlab.run import Asked, Run, Status

ASKED = Asked(lab="toy", job="toy", config={"scale": "tiny"}, code="c", lock="l", revisions={"model": "made"})
RUN = Run(
    run_id="r",
    fingerprint="f",
    asked=ASKED,
    tags={"student": "ana"},
    status=Status.SUCCEEDED,
    started="2026-11-25T02:00:00+00:00",
    seconds=1.5,
    metrics={"loss": 1, "speed": math.inf},
    cost_usd="0.10",
)
PATH = Path("runs/r/run.json")


def asked(**changes: Any) -> Asked:
    return replace(ASKED, **changes)


WRONG = {
    "no name": {"run_id": 7},
    "no fingerprint": {"fingerprint": None},
    "an end that is a number": {"ended": 7},
    "tags of numbers": {"tags": {"student": 7}},
    "metrics as a list": {"metrics": []},
    "a metric as text": {"metrics": {"loss": "1"}},
    "a metric that no float can be": {"metrics": {"loss": 10**400}},
    "seconds as text": {"seconds": "1"},
    "no provenance": {"provenance": None},
    "cost as a number": {"cost_usd": 1.0},
    "cost without end": {"cost_usd": "Infinity"},
    "a lab that is a path": {"asked": asked(lab="../x")},
    "a lab that is a list": {"asked": asked(lab=["toy"])},
    "a config as a list": {"asked": asked(config=[])},
    "a revision as a number": {"asked": asked(revisions={"model": 7})},
}


def test_a_record_as_jobs_write_them_is_good() -> None:
    assert checked(RUN, PATH) is RUN
    assert checked(replace(RUN, seconds=None, cost_usd=None, metrics={"loss": math.nan}), PATH)


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG.keys())
def test_a_value_of_another_kind_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"runs/r/run.json: not a run record: a value is of the wrong kind"):
        checked(replace(RUN, **changes), PATH)  # type: ignore[arg-type]

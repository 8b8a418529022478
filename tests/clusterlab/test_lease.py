from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clusterlab.errors import InputError
from clusterlab.lease import LEASE_VARIABLE, LONGEST, Lease, granted_lease

MADE = datetime(2026, 11, 25, 6, 30, tzinfo=UTC)
GRANTED = timedelta(hours=12)
LAUNCHED = {"course": "c", "student": "ana", "run": "r"}


@pytest.mark.parametrize(
    ("tags", "until"),
    [
        (LAUNCHED | {"lease-until": "20261125t100000z"}, datetime(2026, 11, 25, 10, tzinfo=UTC)),
        (LAUNCHED | {"lease-until": "20261125t183000z"}, MADE + GRANTED),
        (LAUNCHED | {"lease-until": "20261125t183001z"}, MADE + GRANTED),
        (LAUNCHED | {"lease-until": "20200101t000000z"}, datetime(2020, 1, 1, tzinfo=UTC)),
        (LAUNCHED | {"lease-until": "2026-11-25"}, MADE + GRANTED),
        (LAUNCHED, MADE + GRANTED),
        ({"course": "c", "run": "r", "lease-until": "20261126t000000z"}, MADE + GRANTED),
        ({"course": "c", "lease-until": "20270301t000000z"}, datetime(2027, 3, 1, tzinfo=UTC)),
        ({"course": "c", "lease-until": "29991231t000000z"}, MADE + LONGEST),
        ({"course": "c"}, MADE + GRANTED),
    ],
    ids=[
        "as tagged",
        "longest",
        "too long",
        "past",
        "no instant",
        "no tag",
        "a run's",
        "a class's",
        "for ever",
        "none",
    ],
)
def test_a_lease_is_never_longer_than_it_may_be(tags: dict[str, str], until: datetime) -> None:
    assert Lease.of(tags, MADE, GRANTED).until == until


def test_a_lease_says_by_which_rule_it_is_one() -> None:
    assert Lease.of(LAUNCHED, MADE, GRANTED).why == "no tag lease-until: 12 h from when it was made"
    assert Lease.of(LAUNCHED | {"lease-until": "soon"}, MADE, GRANTED).why.startswith("lease-until=soon is no instant")
    assert Lease.of(LAUNCHED | {"lease-until": "20261125t100000z"}, MADE, GRANTED).why == "lease-until=20261125t100000z"


def test_what_a_launch_is_granted_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LEASE_VARIABLE, raising=False)
    assert granted_lease() == timedelta(hours=12)
    monkeypatch.setenv(LEASE_VARIABLE, "1.5")
    assert granted_lease() == timedelta(minutes=90)
    monkeypatch.setenv(LEASE_VARIABLE, "-1")
    with pytest.raises(InputError, match=r"CLUSTERLAB_LEASE_HOURS: '-1'; allowed: hours above 0, such as 12"):
        granted_lease()

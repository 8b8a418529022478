"""What a sweep is not begun with: clocks, sightings and orders that cannot be."""

from __future__ import annotations

from datetime import timedelta

import pytest

from clusterlab.errors import ClusterlabError, InputError
from clusterlab.reaper.step import Step
from tests.clusterlab.reaper.conftest import HERE, Account, entry


def test_a_clock_that_is_not_the_clouds_touches_nothing(account: Account) -> None:
    (machine,) = account.launch()
    account.reap()
    account.cloud.client("sts", HERE).meta.events.unregister("after-call.sts", account._tell_the_time)
    account.later(hours=200)
    with pytest.raises(ClusterlabError, match=r"clock: .* allowed: 5 minutes apart; nothing was touched"):
        account.reap()
    assert account.state(machine) == "running"


def test_a_scan_of_a_clock_that_ran_ahead_is_none(account: Account) -> None:
    (machine,) = account.launch()
    account.later(hours=48)
    account.reap()
    account.now -= timedelta(hours=48)
    assert entry(account.reap(), machine).step is Step.WARN


@pytest.mark.parametrize("text", ["", '{"format": "clusterl', "[]", '{"format": "x", "account": "1", "sightings": {}}'])
def test_sightings_that_are_none_are_no_first_scan(account: Account, text: str) -> None:
    account.launch()
    (account.folder / "state.json").write_text(text)
    with pytest.raises(InputError, match=r"state\.json: "):
        account.reap()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"courses": []}, r"--course: missing; allowed: the course's tag"),
        ({"courses": ["LLM*"]}, r"--course: LLM\*: is not a label"),
        ({"age_minutes": 0}, r"--age-minutes: 0; allowed: from 1"),
        ({"grace_hours": -1}, r"--grace-hours: -1; allowed"),
        ({"regions": ["eu-west-9"]}, r"--region: eu-west-9: unknown; allowed: .*us-east-1"),
        ({"keep": "s3://bucket"}, r"s3://bucket: is no place; allowed: a file, or s3://bucket/key"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_order_that_cannot_be_is_refused(account: Account, wrong: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        account.reap(**wrong)

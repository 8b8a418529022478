from __future__ import annotations

import pytest

from clusterlab.errors import InputError
from clusterlab.rehearsal.course.act import Act, chosen
from clusterlab.rehearsal.course.acts import ACTS


def names(*asked: str) -> list[str]:
    return [act.name for act in chosen(ACTS, asked)]


def test_all_are_played_where_none_is_named() -> None:
    assert names() == [act.name for act in ACTS]


def test_an_act_comes_with_what_it_needs_and_with_the_teardown_in_order() -> None:
    assert names("reap") == ["crash", "up", "caps", "own", "reap", "down", "report"]


def test_an_act_that_there_is_not_is_refused() -> None:
    with pytest.raises(InputError, match=r"--act: party: no such act; allowed: crash, up"):
        names("party")


def test_whatever_an_act_needs_comes_before_it() -> None:
    seen: set[str] = set()
    for act in ACTS:
        assert set(act.needs) <= seen, act.name
        seen.add(act.name)


def test_the_teardown_and_the_report_are_always_played() -> None:
    always: list[Act] = [act for act in ACTS if act.always]
    assert [act.name for act in always] == ["down", "report"]

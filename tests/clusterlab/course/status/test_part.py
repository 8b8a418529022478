from __future__ import annotations

import threading
from typing import Any

import pytest

from clusterlab.course.status.part import Asked, Name, NotAsked, look
from clusterlab.errors import UnreachableError


def fails(error: Exception) -> Any:
    def ask() -> Any:
        raise error

    return ask


def test_each_fails_on_its_own() -> None:
    asked: list[Asked[Any]] = [
        Asked(name=Name.AWS, ask=fails(UnreachableError("AWS:\n  it is away"))),
        Asked(name=Name.RAY, ask=fails(NotAsked("nobody named it")), needed=False),
        Asked(name=Name.SKYPILOT, ask=fails(NotAsked("nobody named it"))),
        Asked(name=Name.LEDGER, ask=lambda: (7, ("of it this",))),
    ]
    found = look(asked)
    assert (found[Name.AWS].value, found[Name.AWS].problems) == (None, ("AWS:; it is away",))
    assert (found[Name.LEDGER].value, found[Name.LEDGER].blind) == (7, True)
    assert [found[name].blind for name in (Name.AWS, Name.RAY, Name.SKYPILOT)] == [True, False, True]


def test_one_that_is_silent_holds_up_nobody() -> None:
    never = threading.Event()
    asked: list[Asked[Any]] = [
        Asked(name=Name.RAY, ask=lambda: (never.wait(), ())),
        Asked(name=Name.LEDGER, ask=lambda: (7, ())),
    ]
    try:
        found = look(asked, seconds=0.3)
    finally:
        never.set()
    assert found[Name.RAY].problems == ("no answer within 0.3 s",)
    assert found[Name.LEDGER].value == 7


def test_a_fault_of_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        look([Asked(name=Name.RAY, ask=lambda: (1 // 0, ()))])

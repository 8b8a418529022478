from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clusterlab.rehearsal.course.clock import Clock

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Machine:
    """This machine's clock, moved by hand."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at


def test_it_is_this_machine_s_time_until_it_is_forwarded() -> None:
    machine = Machine()
    clock = Clock(source=machine)
    assert clock.now() == NOON
    assert clock.forward(timedelta(hours=3)) == NOON + timedelta(hours=3)
    machine.at += MINUTE
    assert clock.now() == NOON + timedelta(hours=3) + MINUTE
    assert clock.ahead == timedelta(hours=3)


def test_it_does_not_go_back() -> None:
    with pytest.raises(ValueError, match=r"does not go back"):
        Clock().forward(-MINUTE)

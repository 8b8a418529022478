"""The ledger's PostgreSQL is stopped within a semester, and started again."""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any

from clusterlab.simulation.semester import Semester
from tests import postgresql
from tests.clusterlab.ledger.conftest import postgresql_server  # noqa: F401 (a fixture)
from tests.clusterlab.simulation.conftest import Begin
from tests.needs import needs_skypilot

pytestmark = needs_skypilot

OUTAGE = timedelta(hours=4)
"""Of the semester; the server is down for as long as that takes to simulate."""


def _stop(semester: Semester, server: postgresql.Server, at: timedelta) -> Generator[Any, Any, None]:
    env = semester.env
    yield env.timeout(at.total_seconds())
    server.crash()
    yield env.timeout(OUTAGE.total_seconds())
    server.start()


def test_a_ledger_that_is_gone_lets_nobody_launch_and_loses_nothing(
    begin: Begin,
    postgresql_server: postgresql.Server,  # noqa: F811 (the fixture)
) -> None:
    url = postgresql_server.new_schema("semester")
    semester = begin((16, 2, 1), url=url, mean_days_before_due=0.2, p_runaway=0.1)
    # The evening before the first lab is due at ten in the morning, when most begin it.
    due = semester.course.exercises[0].due - semester.course.start
    semester.env.process(_stop(semester, postgresql_server, due - timedelta(hours=18)))
    result = semester.run()
    assert result.violation is None, result.violation
    assert result.counts.refusals["UnreachableError"] > 0
    assert result.counts.events["meter: a round that did not go well"] >= 2
    assert result.metered_usd >= result.billed_usd > 0
    assert result.days[-1].held_usd == result.metered_usd

from __future__ import annotations

import os

from jobs.collective.group import Group


def _session() -> tuple[int, int]:
    return os.getpid(), os.getsid(0)


def test_every_rank_has_a_session_of_its_own(pair: Group) -> None:
    # Those of one session are scheduled as one group, and wait for each other longer.
    assert [process == session for process, session in pair.call(_session)] == [True, True]

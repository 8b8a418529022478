from __future__ import annotations

from pathlib import Path

from clusterlab.course.preflight.check import Verdict
from clusterlab.course.preflight.roster import look
from tests.clusterlab.course.preflight.conftest import Make


def test_a_roster_with_its_teams_passes(make: Make) -> None:
    [check] = look(make(teams={"red": ["ana", "ben", "eva"]}))
    assert (check.verdict, check.seen.partition(";")[0]) == (Verdict.PASS, "3 students, 1 teams")


def test_a_team_of_somebody_who_takes_no_part_fails(make: Make) -> None:
    [check] = look(make(teams={"red": ["ana", "zoe"]}))
    assert check.verdict is Verdict.FAIL
    assert "teams.red: 'zoe' is not in the roster" in check.seen


def test_a_student_in_no_team_is_told(make: Make) -> None:
    [check] = look(make(teams={"red": ["ana", "ben"]}))
    assert (check.verdict, check.seen) == (Verdict.WARN, "3 students, 1 teams; in none: eva")


def test_no_roster_fails(make: Make) -> None:
    [check] = look(make(roster=None))
    assert (check.verdict, "roster: missing" in check.seen) == (Verdict.FAIL, True)


def test_every_fault_of_a_csv_file_is_told(make: Make, house: Path) -> None:
    (house / "clusters" / "roster.csv").write_text("student\nana\nana\nBen\n")
    [check] = look(make(roster="roster.csv"))
    assert check.verdict is Verdict.FAIL
    assert "'ana' stands twice" in check.seen
    assert "'Ben' is not a label" in check.seen

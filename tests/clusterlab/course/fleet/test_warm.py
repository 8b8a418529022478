"""What `class warm` does at which hour, and what it prints."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from clusterlab.cli import app
from clusterlab.cluster import Cluster
from clusterlab.course.fleet import crew as crews
from clusterlab.course.fleet import skypilot as real
from clusterlab.course.fleet.command import LOCK
from clusterlab.course.fleet.crew import Crew
from clusterlab.course.fleet.launcher import Condition, Fault
from clusterlab.course.fleet.screen import Screen
from clusterlab.course.fleet.warm import Warmed, warm
from clusterlab.course.place import class_folder
from clusterlab.lock import locked
from tests.clusterlab.conftest import spoil
from tests.clusterlab.course.fleet.server import Server

IN_CLASS = datetime(2026, 10, 6, 7, 45, tzinfo=UTC)
AFTER = datetime(2026, 10, 6, 10, 0, tzinfo=UTC)
Warm = Callable[..., Warmed]


@pytest.fixture
def at(class_file: Path, server: Server) -> Warm:
    """`class warm` at an instant."""

    def at(when: datetime, *, now: bool = False) -> Warmed:
        return warm(Cluster.load(class_file), class_file.parents[1], server.crew(), at=when, now=now)

    return at


def test_before_the_class_its_clusters_come_up_and_after_it_they_end_when_idle(at: Warm, server: Server) -> None:
    done = at(IN_CLASS)
    assert done.why == "the class meets 2026-10-06 08:00-10:00 UTC"
    assert not done.missing
    assert done.in_flight == 4
    assert {each.idle_minutes for each in server.there.values()} == {60}
    assert [each.word for each in at(AFTER).errands] == ["ends when idle"] * 4
    assert {each.idle_minutes for each in server.there.values()} == {10}
    assert at(AFTER).errands == []


def test_what_its_student_took_down_is_not_brought_up_again_for_the_same_meeting(at: Warm, server: Server) -> None:
    at(IN_CLASS)
    del server.there["llm-2026-ana"]
    assert at(IN_CLASS + timedelta(minutes=30)).errands == []
    assert "llm-2026-ana" not in server.there
    # An instructor who says so has it, and the next meeting too.
    assert not at(IN_CLASS + timedelta(minutes=30), now=True).missing
    assert "llm-2026-ana" in server.there
    del server.there["llm-2026-ana"]
    assert not at(IN_CLASS + timedelta(days=14)).missing
    assert "llm-2026-ana" in server.there


def test_what_failed_is_tried_again_the_next_minute_alone(at: Warm, server: Server) -> None:
    server.faults = {"llm-2026-ben": [Fault.FAILED]}
    assert [errand.name for errand in at(IN_CLASS).missing] == ["llm-2026-ben"]
    again = at(IN_CLASS + timedelta(minutes=1))
    assert [(errand.name, errand.word) for errand in again.errands] == [("llm-2026-ben", "up")]


def test_a_memory_that_was_spoilt_is_none(at: Warm, server: Server, class_file: Path) -> None:
    at(IN_CLASS)
    (class_file.parents[1] / "classes" / "llm-2026" / "warmed.json").write_text("{")
    assert len(at(IN_CLASS).errands) == 4
    assert len(server.asked) == 4


def test_asked_for_now_outside_of_the_hours_they_wait_as_long_as_their_lab_says(at: Warm, server: Server) -> None:
    assert not at(AFTER, now=True).missing
    assert {each.idle_minutes for each in server.there.values()} == {10}


def test_with_no_minutes_nothing_comes_up_by_itself(at: Warm, server: Server, class_file: Path) -> None:
    spoil(class_file, "warm_minutes: 20", "warm_minutes: 0")
    assert "warm_minutes is 0" in at(datetime(2026, 10, 6, 8, 30, tzinfo=UTC)).why
    assert not server.asked


def test_the_lab_of_the_day_is_by_the_classs_time_zone(at: Warm, server: Server, class_file: Path) -> None:
    """At 22:30 UTC of the 6th it is the 7th in Madrid, and what was due on the 6th is over."""
    spoil(class_file, "due: 2026-10-06}", "due: 2026-10-06}, gone: {due: 2026-10-07}")
    for suffix in (".yaml", ".expected.yaml"):
        toy = class_file.parents[1] / "labs" / f"toy{suffix}"
        toy.with_name(f"gone{suffix}").write_text(toy.read_text().replace("lab: toy", "lab: gone"))
    at(datetime(2026, 10, 6, 22, 30, tzinfo=UTC), now=True)
    assert {each.labels["lab"] for each in server.there.values()} == {"gone"}


def test_the_command_exits_with_1_and_says_what_is_missing_and_why(
    class_file: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(real, "SkyPilot", lambda: server)
    monkeypatch.setattr(crews, "Crew", partial(Crew, clock=lambda: server.now, sleep=server.sleep))
    server.refused_at_once = {"llm-2026-ben"}
    runner = CliRunner()
    result = runner.invoke(app, ["class", "warm", str(class_file), "--now"])
    assert result.exit_code == 1
    assert "llm-2026-ana: up" in result.stdout
    assert "llm-2026-ben: refused" in result.stdout
    assert "asked for now; 4 clusters: 3 up, 1 refused" in result.stdout
    result = runner.invoke(app, ["class", "warm", str(class_file), "--now", "--json"])
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["missing"] == ["llm-2026-ben"]
    reasons = {each["cluster"]: each["reason"] for each in told["clusters"]}
    assert "5.00 USD asked, 0.01 of 1.00 free" in reasons["llm-2026-ben"]
    assert reasons["llm-2026-ana"] == "was up"


def test_while_one_is_at_work_another_goes_away_again(
    class_file: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(real, "SkyPilot", lambda: server)
    with locked(class_folder("llm-2026", class_file.parents[1]) / LOCK, wait=True):
        result = CliRunner().invoke(app, ["class", "warm", str(class_file), "--now"])
    assert result.exit_code == 1
    assert "another `clusterlab class warm` is at work" in result.stderr
    assert not server.asked


def test_a_terminal_has_one_table_that_ends_with_how_far_all_came(class_file: Path, server: Server) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, height=30)
    server.faults = {"llm-2026-ben": [Fault.CAPACITY, Fault.FAILED]}
    with Screen(console=console).open() as screen:
        crew = server.crew()
        crew.tell = screen.show
        warm(Cluster.load(class_file), class_file.parents[1], crew, at=AFTER, now=True)
    text = out.getvalue()
    assert "4 clusters: 4 launching" in text
    assert "no capacity" in text
    assert "4 clusters: 3 up, 1 failed" in text
    assert text.rindex("failed") > text.rindex("launching")


def test_a_class_that_is_over_has_no_half_launched_machine_left(at: Warm, server: Server) -> None:
    at(IN_CLASS)
    one = server.there["llm-2026-ana"]
    server.there["llm-2026-ana"] = type(one)(name=one.name, condition=Condition.HALF, labels=one.labels)
    done = at(datetime(2026, 12, 30, tzinfo=UTC))
    assert done.why == "the class is over"
    assert "llm-2026-ana" not in server.there

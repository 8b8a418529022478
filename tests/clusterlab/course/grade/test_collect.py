from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from clusterlab.course.grade.collect import collect, contradictions
from clusterlab.errors import InputError
from clusterlab.run import RECORD, Run, Status
from tests.clusterlab.conftest import spoil
from tests.clusterlab.course.grade.records import NOON, RUNS, collected, hand_in, record

STUDENTS = {"ana", "ben"}


def names(*places: Path) -> list[tuple[str, str | None]]:
    return [(each.student, each.owner) for each in collected(*places)]


def test_runs_come_from_folders_and_single_records() -> None:
    hand_in(record("ana"))
    folder = hand_in(record("ben"), runs=Path("mail"))
    assert names(RUNS, folder / RECORD) == [("ana", "ana"), ("ben", "ben")]


def test_a_run_that_is_named_twice_is_one() -> None:
    folder = hand_in(record("ana"))
    assert len(collected(RUNS, RUNS / "ana", folder / RECORD, RUNS)) == 1


def test_places_that_are_none_are_refused_all_at_once() -> None:
    Path("notes.txt").touch()
    with pytest.raises(InputError) as error:
        collect([Path("none"), RUNS, Path("notes.txt")], Path.cwd(), STUDENTS)
    assert [each.path for each in error.value.problems] == ["none", "notes.txt"]


WHERE = {
    "the bucket": ("runs/ben/toy/r", "ben"),
    "the bucket, from above": ("fetched/runs/ben/toy/r", "ben"),
    "a stranger's folder of the bucket": ("runs/zoe/toy/r", "zoe"),
    "a repository of the student's": ("submissions/ben/runs/toy/r", "ben"),
    "a student's folder in another's": ("ana/ben/toy/r", "ben"),
    "nobody's": ("runs/toy/r", None),
    "nobody's, deeper": ("fetched/old/toy/r", None),
}


@pytest.mark.parametrize(("folder", "owner"), WHERE.values(), ids=WHERE.keys())
def test_the_owner_is_whose_name_the_folder_bears(folder: str, owner: str | None) -> None:
    Path(folder).mkdir(parents=True)
    record("ana").save(Path(folder))
    place = Path(folder).parts[0]
    (found,) = collected(Path(place))
    assert (found.owner, found.holder) == (owner, owner or "ana")


def test_the_folder_that_is_named_may_be_the_students_own() -> None:
    hand_in(record("ben"))
    assert names(RUNS / "ben") == [("ben", "ben")]


UNREADABLE = {
    "torn": lambda path: path.write_text("{"),
    "no text": lambda path: path.write_bytes(b"\xff\xfe\x00"),
    "deep": lambda path: path.write_text("[" * 100_000),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a link to nothing": lambda path: (path.unlink(), path.symlink_to("gone")),
    "a lab that is a path": lambda path: spoil(path, '"lab": "toy"', '"lab": "/etc/passwd"'),
    "a metric that no float can be": lambda path: spoil(path, '"loss": 1.0', f'"loss": 1{"0" * 400}'),
}


@pytest.mark.parametrize("change", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_record_that_cannot_be_read_is_named_and_hides_no_other(change: object) -> None:
    bad, _ = hand_in(record("ana")), hand_in(record("ben"))
    assert callable(change)
    change(bad / RECORD)
    found, problems = collect([RUNS], Path.cwd(), STUDENTS)
    assert [each.student for each in found] == ["ben"]
    assert [each.path for each in problems] == [str(bad / RECORD)]


def test_a_folder_that_cannot_be_listed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    hand_in(record("ana"))
    walk, closed = os.scandir, str(RUNS / "ana")

    def scandir(path: str) -> object:
        if str(path) == closed:
            raise PermissionError(13, "Permission denied", path)
        return walk(path)

    # A test may run as root, whom no folder is closed to.
    monkeypatch.setattr(os, "scandir", scandir)
    found, problems = collect([RUNS], Path.cwd(), STUDENTS)
    assert (found, [str(each) for each in problems]) == ([], ["runs/ana: cannot be read: Permission denied"])


def test_a_link_is_named_and_not_followed() -> None:
    hand_in(record("ana"))
    (RUNS / "ben").symlink_to("ana")
    found, problems = collect([RUNS], Path.cwd(), STUDENTS)
    assert ([each.holder for each in found], [each.path for each in problems]) == (["ana"], ["runs/ben"])


def test_links_that_a_job_made_do_not_matter() -> None:
    folder = hand_in(record("ana"))
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "latest").symlink_to(".")
    assert len(collected()) == 1


def test_a_record_that_is_a_link_to_anothers_is_a_claim_of_its_own() -> None:
    theirs = hand_in(record("ana"))
    mine = RUNS / "ben" / "toy" / "r"
    mine.mkdir(parents=True)
    (mine / RECORD).symlink_to((theirs / RECORD).resolve())
    assert sorted(each.holder for each in collected()) == ["ana", "ben"]


def test_a_record_as_a_job_wrote_it_contradicts_itself_nowhere() -> None:
    folder = hand_in(record(config={"rate": 0.1, "quick": True, "note": "\u00f1"}))
    assert contradictions(Run.load(folder)) == ()


CONTRADICTIONS = {
    "another config": ({"config": {"steps": 1000}}, "fingerprint"),
    "a config without a fingerprint": ({"config": {"rate": float("nan")}}, "fingerprint"),
    "another lab": ({"tags": {"lab": "other", "student": "ana"}}, "another lab"),
    "no zone": ({"ended": "2026-10-06T12:00:00"}, "no instant"),
    "ended before it began": ({"ended": (NOON - timedelta(days=1)).isoformat()}, "before it began"),
    "longer than it took": ({"seconds": 1e6}, "longer"),
    "no duration": ({"seconds": float("nan")}, "longer"),
}


@pytest.mark.parametrize(("change", "fault"), CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_a_record_that_was_changed_by_hand_contradicts_itself(change: dict[str, object], fault: str) -> None:
    run, changes = record(), dict(change)
    config = changes.pop("config", {})
    assert isinstance(config, dict)
    asked = replace(run.asked, config=run.asked.config | config)
    (found,) = contradictions(replace(run, asked=asked, **changes))  # type: ignore[arg-type]
    assert fault in found


def test_a_clock_that_was_set_back_a_little_is_no_contradiction() -> None:
    run = record(seconds=5.0, started=(NOON + timedelta(seconds=30)).isoformat())
    assert contradictions(run) == ()


def test_a_run_that_goes_on_has_no_end_to_contradict() -> None:
    assert contradictions(record(ended=NOON, status=Status.RUNNING)) == ()
    assert contradictions(replace(record(), ended=None, seconds=None, status=Status.RUNNING)) == ()


def test_a_copied_folder_is_found_with_the_same_tags_and_another_owner() -> None:
    folder = hand_in(record("ana"))
    shutil.copytree(folder, RUNS / "ben" / "toy" / folder.name)
    assert sorted((each.student, each.holder) for each in collected()) == [("ana", "ana"), ("ana", "ben")]


def test_unknown_keys_of_a_record_are_a_problem() -> None:
    folder = hand_in(record("ana"))
    values = json.loads((folder / RECORD).read_text())
    (folder / RECORD).write_text(json.dumps(values | {"grade": "A"}))
    assert len(collect([RUNS], Path.cwd(), STUDENTS)[1]) == 1

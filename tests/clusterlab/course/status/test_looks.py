from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from clusterlab.course.status.gpu import IDLE_FOR
from clusterlab.course.status.looks import LONGEST_GAP, Low, after, read, write
from clusterlab.errors import InputError, StorageError
from tests.clusterlab.course.status.snapshots import NOON

MINUTE = timedelta(minutes=1)


def seen(*looks: tuple[int, bool | None]) -> Low | None:
    """What is known of a GPU after looks at these minutes, at which it was low, was not, or was not measured."""
    lows: dict[str, Low] = {}
    for minute, low in looks:
        lows = after(lows, ["g"] if low else [], [] if low is None else ["g"], NOON + minute * MINUTE)
    return lows.get("g")


def test_what_is_low_at_every_look_has_been_so_since_the_first() -> None:
    assert seen((0, True), (10, True), (20, True)) == Low(since=NOON, last=NOON + 20 * MINUTE, num_looks=3)


def test_one_look_says_nothing_of_how_long() -> None:
    low = seen((0, True))
    assert low is not None
    assert low.lasted == timedelta()


def test_a_look_at_which_it_was_busy_begins_it_anew() -> None:
    low = seen((0, True), (10, False), (14, True), (20, True))
    assert low is not None
    assert low.lasted == 6 * MINUTE


def test_two_looks_far_apart_say_nothing_of_the_time_between() -> None:
    low = seen((0, True), (16, True))
    assert low is not None
    assert (low.lasted, low.num_looks) == (timedelta(), 1)
    assert LONGEST_GAP == 15 * MINUTE


def test_two_looks_are_enough_where_they_are_as_far_apart_as_they_may() -> None:
    low = seen((0, True), (15, True))
    assert low is not None
    assert low.lasted >= IDLE_FOR


def test_a_look_that_could_not_measure_changes_nothing_but_is_no_look() -> None:
    assert seen((0, True), (10, None), (15, True)) == Low(since=NOON, last=NOON + 15 * MINUTE, num_looks=2)
    low = seen((0, True), (10, None), (20, True))
    assert low is not None
    assert low.num_looks == 1


def test_a_clock_that_went_back_begins_it_anew() -> None:
    assert seen((30, True), (0, True)) == Low(since=NOON, last=NOON, num_looks=1)


def test_the_next_process_knows_what_this_one_saw(tmp_path: Path) -> None:
    lows = {"i-1/GPU-0/raysubmit_1": Low(since=NOON, last=NOON + MINUTE, num_looks=2)}
    assert read(tmp_path / "classes" / "looks.json") == {}
    write(tmp_path / "classes" / "looks.json", lows)
    assert read(tmp_path / "classes" / "looks.json") == lows


@pytest.mark.parametrize("text", ["", "[]", '{"format": "else", "low": {}}', '{"format": "clusterlab-gpu-looks-1"}'])
def test_what_is_no_such_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "looks.json").write_text(text)
    with pytest.raises(InputError, match=r"looks\.json: no looks at GPUs: .*; remove it, and the next look"):
        read(tmp_path / "looks.json")


def test_where_nothing_can_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"looks\.json: cannot be written"):
        write(tmp_path / "file" / "looks.json", {})

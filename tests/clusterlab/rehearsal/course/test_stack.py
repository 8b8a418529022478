from __future__ import annotations

import json
from pathlib import Path

from clusterlab.rehearsal.course.stack import EmulatedStack


def note(folder: Path, *lines: tuple[str, str | None]) -> EmulatedStack:
    """A stack whose program wrote these lines: a resource, and its id once it was made."""
    written = [{"resource": key, "made": made and {"id": made, "outputs": {}}} for key, made in lines]
    (folder / "stack.jsonl").write_text("".join(json.dumps(line) + "\n" for line in written))
    return EmulatedStack(folder=folder)


def test_what_was_begun_and_never_made_is_pending_and_what_was_made_is_known(tmp_path: Path) -> None:
    state = note(tmp_path, ("vpc", None), ("vpc", "vpc-1"), ("disk", None)).state()
    assert (state.exists, state.known, state.pending) == (True, ("vpc-1",), ("creating disk",))


def test_what_was_made_at_the_second_try_is_not_pending(tmp_path: Path) -> None:
    state = note(tmp_path, ("disk", None), ("disk", None), ("disk", "fs-1")).state()
    assert (state.known, state.pending) == (("fs-1",), ())


def test_a_stack_that_was_taken_down_knows_nothing_and_what_it_was_is_kept(tmp_path: Path) -> None:
    stack = note(tmp_path, ("vpc", "vpc-1"))
    assert stack.down() == []
    assert stack.down() == []
    state = stack.state()
    assert (state.exists, state.known, state.pending) == (False, (), ())
    assert "vpc-1" in (tmp_path / "stack-ended.jsonl").read_text()

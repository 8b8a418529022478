from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from clusterlab.local.progress import Tail, follow


def _line(step: int, **values: float) -> str:
    return json.dumps({"phase": "train", "step": step, "steps": 3} | values) + "\n"


def _writing(path: Path, texts: list[str]) -> Callable[[float], bool]:
    """A run that adds one text each time that it is waited for, and then ends."""

    def ended(_: float) -> bool:
        with path.open("a") as file:
            file.write(texts.pop(0))
        return not texts

    return ended


def test_only_new_whole_lines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    tail = Tail(path)
    assert list(tail.read()) == []
    path.write_text(_line(1) + _line(2)[:10])
    assert [line["step"] for line in tail.read()] == [1]
    path.write_text(_line(1) + _line(2) + _line(3))
    assert [line["step"] for line in tail.read()] == [2, 3]


def test_a_torn_line_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"phase": "tr' + _line(1) + '"text"\n{"step": 2}\n' + _line(2))
    assert [line["step"] for line in Tail(path).read()] == [2]


def test_a_terminal_gets_a_bar_for_each_phase(tmp_path: Path) -> None:
    path, screen = tmp_path / "metrics.jsonl", io.StringIO()
    texts = [_line(1, loss=2.5), _line(2, loss=1.25, tokens_per_second=1234.5), _line(1).replace("train", "evaluate")]
    follow(path, Console(file=screen, force_terminal=True, width=120, color_system=None), _writing(path, texts))
    last = screen.getvalue().rpartition("train")[2]
    assert "2/3" in last
    assert "loss 1.250  1,234 tokens/s" in last
    assert "evaluate" in last
    assert "starting" not in last


def test_elsewhere_there_are_plain_lines_and_the_last_is_never_missing(tmp_path: Path) -> None:
    path, screen = tmp_path / "metrics.jsonl", io.StringIO()
    follow(path, Console(file=screen, width=120), _writing(path, [_line(1, loss=2.5), _line(2), _line(3, loss=0.5)]))
    assert screen.getvalue() == "train 3/3 loss 0.500\n"

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.compress.frontier import draw_frontier, pareto_front
from jobs.compress.measure import UNITS
from jobs.compress.row import Outcome, Row
from jobs.compress.table import DIGITS, markdown, write_rows


def _row(name: str, bits: float, perplexity: float) -> Row:
    metrics = dict.fromkeys(UNITS, 1.0) | {"bits_per_parameter": bits, "perplexity": perplexity}
    return Row(
        method=name, family=name.upper(), bits=4, outcome=Outcome.MEASURED, fingerprint="f" * 64, metrics=metrics
    )


ROWS = [_row("unquantized", 16, 5.0), _row("good", 4.5, 5.2), _row("bad", 4.6, 6.0)]
FAILED = Row(
    method="broken", family="BROKEN", bits=3, outcome=Outcome.FAILED, fingerprint="0" * 64, reason="no | such\nkernel"
)


def test_the_table_has_a_line_a_method_and_the_reason_of_one_that_failed() -> None:
    assert DIGITS.keys() == UNITS.keys()
    lines = markdown([*ROWS, FAILED]).splitlines()
    assert len(lines) == 2 + 4
    assert lines[3] == "| GOOD | 4 | 4.50 | 1.00 | 1.00 | 5.200 | 1.00000 | 1 | 1.0 | 1.0 | 1.00 |"
    assert lines[5].startswith("| BROKEN | 3 | FAILED: no \\| such kernel |")
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1


def test_rows_are_kept_as_json(tmp_path: Path) -> None:
    write_rows([*ROWS, FAILED], tmp_path / "rows.json")
    read = json.loads((tmp_path / "rows.json").read_text())
    assert [(row["method"], row["outcome"]) for row in read][2:] == [("bad", "MEASURED"), ("broken", "FAILED")]


@pytest.mark.parametrize(
    ("points", "front"),
    [
        ([(3.0, 9.0), (4.0, 6.0), (4.5, 7.0), (8.0, 5.0)], [0, 1, 3]),
        ([(4.0, 6.0), (4.0, 5.0), (3.0, 5.0)], [2]),
        ([], []),
    ],
)
def test_the_front_has_those_that_no_other_beats_in_both(points: list[tuple[float, float]], front: list[int]) -> None:
    assert pareto_front(points) == front


def test_the_picture_is_drawn_also_of_the_unquantized_model_alone(tmp_path: Path) -> None:
    for rows in (ROWS, ROWS[:1]):
        draw_frontier(rows, "title", tmp_path / "frontier.png")
        assert (tmp_path / "frontier.png").read_bytes().startswith(b"\x89PNG")

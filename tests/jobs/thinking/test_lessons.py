from __future__ import annotations

import itertools
import random
import re
from fractions import Fraction
from pathlib import Path

import pytest

from clusterlab.config import Source
from clusterlab.errors import InputError
from jobs.thinking import game24
from jobs.thinking.chains import steps_of
from jobs.thinking.lessons import IMPOSSIBLE, SURE, lessons
from jobs.thinking.questions import load_questions
from jobs.thinking.word_problems import make_problems, scratchpad

PUZZLES = [(4, 4, 6, 8), (3, 3, 8, 8), (1, 2, 3, 4)]


def test_every_scratchpad_ends_in_the_answer_by_right_sums_in_many_orders() -> None:
    (problem,) = make_problems(1, num_changes=(4, 4), seed=3)
    found = {scratchpad(problem, random.Random(seed)) for seed in range(50)}
    assert len(found) > 5
    for text in found:
        begin, *lines = text.split(", ")
        total, used = int(begin), set()
        for line in lines:
            name, change, written = re.fullmatch(r"(\w+) (\d+) = (\d+)", line).groups()  # type: ignore[union-attr]
            assert problem.changes[name] == int(change)
            total += problem.changes[name]
            assert total == int(written)
            used.add(name)
        assert total == problem.answer
        assert used == set(problem.changes)


def test_problems_are_different_and_the_same_for_the_same_seed() -> None:
    problems = make_problems(300, num_changes=(3, 5), seed=0)
    assert len({problem.text for problem in problems}) == 300
    assert {len(problem.changes) for problem in problems} == {3, 4, 5}
    assert min(problem.answer for problem in problems) >= 0
    assert problems == make_problems(300, num_changes=(3, 5), seed=0)


def test_lessons_of_the_game_are_right_and_of_the_given_puzzles_only() -> None:
    taught = list(itertools.islice(lessons(PUZZLES, max_changes=3, seed=0), 600))
    ways = [given + written for given, written in taught if given.startswith("Left")]
    judged = [(given, written) for given, written in taught if given.startswith("Can")]
    assert len(ways) > 100
    for way in ways:
        begun = tuple(map(Fraction, way[len("Left ") : way.index(":")].split()))
        steps = steps_of(way)
        if len(begun) == 4:
            assert tuple(map(int, begun)) in PUZZLES
        assert game24.judge(begun, steps)
    for given, written in judged:
        state = tuple(map(Fraction, given.removeprefix("Can ").removesuffix(" make 24?").split()))
        assert (written == SURE) is game24.solvable(state)
    assert {written for _, written in judged} == {SURE, IMPOSSIBLE}


def test_gsm8k_s_files_are_read_and_a_row_without_an_answer_is_named(tmp_path: Path) -> None:
    (tmp_path / "main").mkdir()
    path = tmp_path / "main" / "test.jsonl"
    path.write_text('{"question": "How many?", "answer": "3 * 4 = 12\\n#### 1,212"}\n')
    (tmp_path / "main" / "train.jsonl").write_text("{}\n")
    (question,) = load_questions(Source(str(tmp_path)), 1, num_changes=(1, 1), seed=0)
    assert (question.text, question.answer) == ("How many?", Fraction(1212))
    with pytest.raises(InputError, match=r"2 questions are asked for; it has 1"):
        load_questions(Source(str(tmp_path)), 2, num_changes=(1, 1), seed=0)
    path.write_text('{"question": "How many?", "answer": "12"}\n')
    with pytest.raises(InputError, match=r"test.jsonl: row 1: allowed: `question`, and `answer` with ####"):
        load_questions(Source(str(tmp_path)), 1, num_changes=(1, 1), seed=0)

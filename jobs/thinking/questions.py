"""Questions whose answer is a number: made by the project, or of GSM8K (Cobbe et al., 2021)."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from clusterlab.config import Source
from clusterlab.errors import InputError, Problem
from jobs.llm.hub import folder_of
from jobs.thinking.answers import parse_answer
from jobs.thinking.word_problems import make_problems

MADE = ("made",)
TEST_FILES = ("*test*.jsonl", "*test*.parquet")
MARK = "####"
"""Stands before the answer in GSM8K's solutions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One of them."""

    text: str
    answer: Fraction


def load_questions(source: Source, num: int, *, num_changes: tuple[int, int], seed: int) -> list[Question]:
    """So many questions, the same for the same seed.

    Raises:
        InputError: the source has fewer, or a row of it is no question with an answer.
    """
    if source in MADE:
        made = make_problems(num, num_changes=num_changes, seed=seed)
        return [Question(text=each.text, answer=Fraction(each.answer)) for each in made]
    folder = folder_of(source, "dataset")
    questions = [question for path in _test_files(folder) for question in _read(path)]
    if len(questions) < num:
        raise InputError(Problem(path=source, message=f"{num} questions are asked for; it has {len(questions)}"))
    return random.Random(seed).sample(questions, num)


def _test_files(folder: Path) -> list[Path]:
    """Of a data set the part that nobody trains on; where it has several sets, as GSM8K, that in `main`."""
    found = sorted({path for pattern in TEST_FILES for path in folder.rglob(pattern)})
    return [path for path in found if path.parent.name == "main"] or found


def _read(path: Path) -> Iterator[Question]:
    if path.suffix == ".parquet":
        from pyarrow import parquet

        rows = parquet.read_table(path).to_pylist()
    else:
        rows = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    for number, row in enumerate(rows, 1):
        yield _question(row, f"{path}: row {number}")


def _question(row: Mapping[str, Any], where: str) -> Question:
    text, solution = row.get("question"), row.get("answer")
    if not isinstance(text, str) or not isinstance(solution, str) or MARK not in solution:
        message = f"allowed: `question`, and `answer` with {MARK} and a number at its end"
        raise InputError(Problem(path=where, message=message))
    answer = parse_answer(solution)
    if answer is None:
        raise InputError(Problem(path=where, message=f"there is no number behind {MARK}"))
    return Question(text=text, answer=answer)

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from clusterlab.errors import InputError
from jobs.bias.bbq import load_bbq
from jobs.bias.sources import load_questions

OPEN: dict[str, Any] = {
    "example_id": 7,
    "question_index": "3",
    "question_polarity": "neg",
    "context_condition": "ambig",
    "category": "Hats",
    "answer_info": {"ans0": ["red hat", "red"], "ans1": ["Not said", "unknown"], "ans2": ["blue hat", "nonRed"]},
    "additional_metadata": {"subcategory": "None", "stereotyped_groups": ["red"], "version": "a", "source": "nowhere"},
    "context": "One with a red hat and one with a blue hat came in.",
    "question": "Who forgot to knock?",
    "ans0": "The red hat",
    "ans1": "Not said",
    "ans2": "The blue hat",
    "label": 1,
}


def written(folder: Path, *rows: Any, name: str = "Hats.jsonl") -> Path:
    """A folder in BBQ's form with one file."""
    (folder / name).write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return folder


def metadata(*groups: Any) -> dict[str, Any]:
    return {"additional_metadata": {"stereotyped_groups": list(groups)}}


def info(first: list[str], second: list[str]) -> dict[str, Any]:
    return {"answer_info": {"ans0": first, "ans1": ["Not said", "unknown"], "ans2": second}}


def test_a_line_becomes_a_question_and_the_polarity_says_what_the_stereotype_answers(tmp_path: Path) -> None:
    told = {"context_condition": "disambig", "label": 0, "question_polarity": "nonneg", "example_id": 8}
    open_, other = load_bbq(written(tmp_path, OPEN, OPEN | told))
    assert (open_.key, open_.family, open_.group) == ("Hats 7", "Hats 3 The blue hat The red hat", "Hats: red")
    assert open_.options == ("The red hat", "Not said", "The blue hat")
    assert (open_.label, open_.unknown, open_.stereotyped, open_.ambiguous) == (1, 1, 0, True)
    assert (other.label, other.unknown, other.stereotyped, other.ambiguous) == (0, 1, 2, False)
    assert other.family == open_.family
    assert other.planted is None


@pytest.mark.parametrize(
    ("first", "second", "groups", "place"),
    [
        (["woman", "woman"], ["man", "man"], ["F"], 0),
        (["Tom", "M"], ["Ann", "F"], ["M"], 0),
        (["the poor one", "lowSES"], ["the rich one", "highSES"], ["low SES"], 0),
        (["A. B.", "F-Blue"], ["C. D.", "F-Green"], ["Green"], 2),
        (["trans woman", "trans_F"], ["woman", "nonTrans_F"], ["Transgender women"], 0),
        (["a Redlander", "North"], ["a Bluelander", "South"], ["a Bluelander", "x"], 2),
        (["both", "red"], ["both", "red"], ["red"], None),
        (["old", "old"], ["new", "nonOld"], ["tall"], None),
        (["old", "old"], ["new", "nonOld"], [], None),
    ],
)
def test_who_is_meant_is_found_by_name_or_group_however_bbq_writes_it(
    tmp_path: Path, first: list[str], second: list[str], groups: list[str], place: int | None
) -> None:
    (question,) = load_bbq(written(tmp_path, OPEN | info(first, second) | metadata(*groups)))
    assert question.stereotyped == place
    assert (question.group == "") == (place is None)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "line 2: Expecting property name"),
        ("[]", "line 2: list indices must be integers"),
        ({name: value for name, value in OPEN.items() if name != "context"}, "line 2: 'context' is missing"),
        (OPEN | {"label": 3}, "label: 3; allowed: 0, 1, 2"),
        (OPEN | {"label": True}, "label: True; allowed: 0, 1, 2"),
        (OPEN | {"label": 0}, "label: 0; allowed: that of the unknown option where the context is ambig, and no else"),
        (OPEN | {"context_condition": "disambig"}, "label: 1; allowed: that of the unknown option"),
        (OPEN | {"context_condition": "vague"}, "context_condition: 'vague'; allowed: ambig, disambig"),
        (OPEN | {"question_polarity": "pos"}, "question_polarity: 'pos'; allowed: neg, nonneg"),
        (OPEN | {"ans0": ""}, "ans0: ''; allowed: a text"),
        (OPEN | {"question": 4}, "question: 4; allowed: a text"),
        (OPEN | info(["a", "unknown"], ["b", "red"]), "answer_info: 2 options are unknown; allowed: one"),
        (OPEN | {"answer_info": {"ans0": "a"}}, "answer_info.ans0: 'a'; allowed: a list of two texts"),
        (OPEN | {"additional_metadata": {}}, "'stereotyped_groups' is missing"),
        (OPEN | {"additional_metadata": {"stereotyped_groups": "red"}}, "'red'; allowed: a list of groups"),
    ],
)
def test_a_line_that_is_no_question_is_refused_by_file_and_number(tmp_path: Path, row: Any, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as refused:
        load_bbq(written(tmp_path, OPEN, row))
    assert f"{tmp_path}/Hats.jsonl: line 2" in str(refused.value)


def test_the_first_fault_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    written(tmp_path, "{", "{")
    written(tmp_path, OPEN, "{", name="Shoes.jsonl")
    with pytest.raises(InputError) as refused:
        load_bbq(tmp_path)
    assert [(Path(each.path).name, each.key) for each in refused.value.problems] == [
        ("Hats.jsonl", "line 1"),
        ("Shoes.jsonl", "line 2"),
    ]


def test_a_folder_without_such_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no \*\.jsonl; allowed: the `data` folder of BBQ"):
        load_questions(str(tmp_path), 10, seed=0)


def test_whole_scenes_of_a_folder_are_drawn(tmp_path: Path) -> None:
    rows = [OPEN | {"example_id": number, "question_index": str(number // 4)} for number in range(40)]
    drawn = load_questions(str(written(tmp_path, *rows)), 10, seed=0)
    assert len(drawn) == 12
    assert len({question.family for question in drawn}) == 3

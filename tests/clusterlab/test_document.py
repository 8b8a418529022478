from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from clusterlab.document import Document
from clusterlab.errors import InputError, Problem


def load(tmp_path: Path, text: str) -> Document:
    (tmp_path / "x.yaml").write_text(text)
    return Document.load(tmp_path / "x.yaml", [])


def test_values_are_read_by_dotted_key(tmp_path: Path) -> None:
    document = load(tmp_path, "a: {b: {c: 1}}\nprice: 0.10\nyes: true\n")
    assert document.integer_at("a.b.c") == 1
    assert str(document.decimal_at("price")) == "0.1"
    assert document.mapping_at("a.b") == {"c": 1}
    assert document.at("a.b.c.d") is None
    assert document.problems == []


def test_what_is_wrong_is_noted_once_and_read_as_empty(tmp_path: Path) -> None:
    document = load(tmp_path, "a: [1]\nn: -1\nflag: maybe\nnumber: true\n")
    assert document.mapping_at("a") == document.mapping_at("a") == {}
    assert document.text_at("a") == ""
    assert document.integer_at("n") == 0
    assert document.boolean_at("flag", default=True) is True
    assert document.decimal_at("number") == Decimal(0)
    assert [problem.key for problem in document.problems] == ["a", "a", "n", "flag", "number"]


BROKEN = {
    "a: [1": "line 1, column 6",
    "a: 1\nb: 2\na: 3": "line 3, column 1: the key 'a' stands twice",
    "a:\n\t- b": "line 2, column 1",
    "- a": "must be a mapping",
    "": "must be a mapping",
    "a: \x00": "cannot be read",
    "a: *nothing": "line 1, column 4",
}


@pytest.mark.parametrize(("text", "message"), BROKEN.items())
def test_a_file_that_cannot_be_read_is_one_problem_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        load(tmp_path, text)
    assert len(error.value.problems) == 1
    assert message in str(error.value)
    problems: list[Problem] = []
    document = Document.load_or_empty(tmp_path / "x.yaml", problems)
    document.text_at("goal")
    assert (document.readable, len(problems)) == (False, 1)


@pytest.mark.parametrize("content", [b"\xff\xfe\xfa", None], ids=["not text", "not there"])
def test_a_file_that_is_no_text_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read"):
        Document.load(path, [])

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from clusterlab.config import Source
from clusterlab.errors import InputError
from jobs.llm.alpaca import load_examples, prompt, tokenize
from jobs.llm.instructions import Example

ROWS = [{"instruction": f"Say {n}.", "input": "loudly" if n % 2 else "", "output": str(n)} for n in range(10)]


class Letters:
    """A tokenizer: one token a letter, a beginning and an end."""

    eos_token_id = 0

    def __call__(self, text: str, *, add_special_tokens: bool = True) -> dict[str, list[int]]:
        return {"input_ids": [1] * add_special_tokens + [ord(letter) for letter in text]}


def test_the_prompt_shows_an_input_only_where_there_is_one() -> None:
    assert "### Input:\nloudly" in prompt(Example(instruction="Say it.", input="loudly", output="it"))
    assert "### Input" not in prompt(Example(instruction="Say it.", output="it"))


def test_a_response_ends_with_the_end_token_and_carries_no_other() -> None:
    example = Example(instruction="Say it.", output="it")
    tokens = tokenize([example], Letters(), 1000)[example]
    assert tokens.response == [ord("i"), ord("t"), 0]
    assert tokens.prompt[0] == 1


def test_what_is_too_long_is_cut_and_what_has_no_room_is_left_out() -> None:
    example = Example(instruction="Say it.", output="it" * 50)
    room = len(prompt(example)) + 1
    assert len(tokenize([example], Letters(), room + 10)[example].response) == 10
    assert tokenize([example], Letters(), room) == {}


@pytest.mark.parametrize("suffix", ["json", "jsonl", "parquet"])
def test_a_folder_is_read_in_every_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"data.{suffix}"
    if suffix == "json":
        path.write_text(json.dumps(ROWS))
    elif suffix == "jsonl":
        path.write_text("\n".join(map(json.dumps, ROWS)))
    else:
        parquet.write_table(pa.Table.from_pylist(ROWS), path)
    train, held_out = load_examples(Source(str(tmp_path)), 7, 3, seed=0)
    assert {example.output for example in train + held_out} == {str(n) for n in range(10)}
    assert len(train) == 7


def test_a_folder_with_too_few_examples_says_how_many_it_has(tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text(json.dumps(ROWS))
    with pytest.raises(InputError, match=r"100 \+ 3 examples are asked for; it has 10"):
        load_examples(Source(str(tmp_path)), 100, 3, seed=0)


@pytest.mark.parametrize("text", ['[{"instruction": "only"}]', "[1, 2]", "not json"])
def test_a_file_that_is_no_instruction_set_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(InputError, match=r"bad\.json: not rows with instruction, input and output"):
        load_examples(Source(str(tmp_path)), 1, 1, seed=0)

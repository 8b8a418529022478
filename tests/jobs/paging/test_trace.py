from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from clusterlab.errors import InputError
from jobs.paging.record import first_turns, read_chats, record
from jobs.paging.trace import LENGTHS, SHIPPED, Request, load_trace


def test_the_shipped_trace_says_what_it_is_and_is_as_long_as_it_says() -> None:
    text = LENGTHS.read_text()
    assert text.startswith("# Lengths of 2,000 turns of real chats with ChatGPT")
    requests = load_trace(SHIPPED, 2000, 2048)
    assert max(request.total_tokens for request in requests) <= 2048
    with pytest.raises(InputError, match=r"has 2000 requests; NUM_REQUESTS=2001 asks for more"):
        load_trace(SHIPPED, 2001, 2048)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prompt,output\n1,2\n", "columns ['prompt', 'output']; allowed: prompt_tokens, output_tokens"),
        ("", "columns None; allowed: prompt_tokens, output_tokens"),
        ("prompt_tokens,output_tokens\n5,x\n", "request 1: {'prompt_tokens': '5', 'output_tokens': 'x'}; allowed:"),
        ("prompt_tokens,output_tokens\n5\n", "request 1:"),
        ("prompt_tokens,output_tokens\n5,0\n", "1 token or more each, and at most 64 together"),
        ("prompt_tokens,output_tokens\n60,5\n", "1 token or more each, and at most 64 together"),
    ],
)
def test_a_trace_that_cannot_be_used_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "lengths.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=re.escape(message)) as refused:
        load_trace(str(path), 1, 64)
    assert str(path) in str(refused.value)


def _chat(*turns: str) -> dict[str, object]:
    return {"id": "a_0", "conversations": [{"from": "human", "value": turn} for turn in turns]}


def test_chats_are_read_up_to_where_their_file_was_cut_off() -> None:
    text = json.dumps([_chat("a", "b"), _chat("c", "d", "e"), _chat("f")], indent=2)
    assert list(first_turns(read_chats(text))) == [("a", "b"), ("c", "d")]
    assert list(first_turns(read_chats(text[: text.index('"d"')]))) == [("a", "b")]


def test_only_lengths_are_recorded_and_none_that_is_too_short_or_too_long() -> None:
    # A letter is a token here.
    kept, dropped = (
        ("p" * 1024, "o" * 1024),
        [("ppp", "oooo"), ("pppp", "ooo"), ("p" * 1025, "oooo"), ("pppp", "o" * 2045)],
    )
    pairs = [kept, *dropped]
    requests = record(pairs, lambda texts: [len(text) for text in texts])
    assert requests == [Request(prompt_tokens=1024, output_tokens=1024)]
    many = [("p" * count, "oooo") for count in range(4, 40)]
    assert record(many, lambda texts: [len(text) for text in texts], 5) == record(
        many, lambda texts: [len(text) for text in texts], 5
    )
    assert len(record(many, lambda texts: [len(text) for text in texts], 5)) == 5

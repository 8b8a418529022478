from __future__ import annotations

import json

import pytest

from jobs.load.stream import Stream, read_stream

TOKEN = b'data: {"choices": [{"text": " a"}]}\n\n'
USAGE = b'data: {"choices": [], "usage": {"completion_tokens": 7}}\n\n'
END = b"data: [DONE]\n\n"


def test_a_token_comes_when_its_line_is_complete() -> None:
    parts = [(1.0, TOKEN[:10]), (2.0, TOKEN[10:]), (3.0, TOKEN + TOKEN[:-3]), (4.0, b"}\n\n" + END)]
    assert read_stream(parts) == Stream(first_token=2.0, last_token=4.0, tokens=3, whole=True, failed=False)


def test_the_count_of_the_server_stands_above_that_of_events() -> None:
    found = read_stream([(1.0, TOKEN), (2.0, TOKEN + USAGE + END)])
    assert found == Stream(first_token=1.0, last_token=2.0, tokens=7, whole=True, failed=False)


def test_a_stream_without_its_end_is_not_whole() -> None:
    assert not read_stream([(1.0, TOKEN + USAGE)]).whole


def test_an_error_within_a_stream_is_a_failure_though_the_stream_ends_well() -> None:
    assert read_stream([(1.0, TOKEN), (2.0, b'data: {"error": {"message": "out of memory"}}\n\n' + END)]).failed


def test_comments_other_fields_and_carriage_returns_are_read_as_the_standard_says() -> None:
    parts = [(1.0, b": ping\r\n\r\nevent: message\r\nid: 1\r\n" + TOKEN.replace(b"\n", b"\r\n") + END)]
    assert read_stream(parts) == Stream(first_token=1.0, last_token=1.0, tokens=1, whole=True, failed=False)


@pytest.mark.parametrize("data", [b"{", b"[1]", b"3", b"\xff"])
def test_what_is_not_openais_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no event of OpenAI's protocol"):
        read_stream([(1.0, b"data: " + data + b"\n\n")])


def test_bytes_of_letters_may_be_cut_anywhere() -> None:
    event = b"data: " + json.dumps({"choices": [{"text": "é"}]}, ensure_ascii=False).encode() + b"\n\n"
    parts = [(float(place), event[place : place + 1]) for place in range(len(event))]
    assert read_stream(parts).tokens == 1

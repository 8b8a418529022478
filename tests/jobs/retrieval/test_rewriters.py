from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobs.retrieval.rewriters import RewriteError, Scripted, Served, wordings
from jobs.retrieval.wording import MOST_IN_A_ROW, PARALLEL, collect
from jobs.serving.endpoint import Endpoint
from tests.web import Handler, serving

Answer = Callable[[Handler, dict[str, object]], None]
DOWN = "http://127.0.0.1:9"


@contextmanager
def server(answer: Answer) -> Iterator[str]:
    """A server that answers every POST so; its URL."""

    class Answering(Handler):
        def respond(self) -> None:
            answer(self, json.loads(self.body()))

    with serving(Answering) as url:
        yield url


def reply(content: bytes, status: int = 200) -> Answer:
    def answer(handler: Handler, _: dict[str, object]) -> None:
        handler.send(content, status=status)

    return answer


def saying(text: object) -> bytes:
    return json.dumps({"choices": [{"message": {"content": text}}]}).encode()


def served(url: str, limit_seconds: float = 5) -> Served:
    endpoint = Endpoint(url=url, model="small", api_key="secret")
    return Served(endpoint=endpoint, number=2, limit_seconds=limit_seconds)


def test_a_model_is_asked_by_name_with_the_query_and_the_key() -> None:
    seen: list[tuple[str, str | None, dict[str, object]]] = []

    def answer(handler: Handler, body: dict[str, object]) -> None:
        seen.append((handler.path, handler.headers["Authorization"], body))
        reply(saying('["one way", "another"]'))(handler, body)

    with server(answer) as url:
        assert served(url).rewrite("which king") == ["one way", "another"]
    [(path, key, body)] = seen
    assert (path, key, body["model"]) == ("/v1/chat/completions", "Bearer secret", "small")
    messages = body["messages"]
    assert isinstance(messages, list)
    assert messages[-1] == {"role": "user", "content": "which king"}
    assert [len(message["content"].splitlines()) for message in messages if message["role"] == "assistant"] == [2, 2]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ('["a b", "c d", "e f"]', ["a b", "c d"]),
        ('Sure! Here they are:\n```json\n["a b",\n "c d"]\n```', ["a b", "c d"]),
        ("1. a b\n2) c d", ["a b", "c d"]),
        ('- "a b"\n- "a b"\n', ["a b"]),
        ('["a b", 3, "", "-"]', ["a b"]),
        ("Other wordings are:\n```json\na b\n```", ["a b"]),
    ],
)
def test_wordings_are_read_from_a_list_and_from_what_is_nearly_one(said: str, found: list[str]) -> None:
    assert wordings(said, 2, "http://x") == found


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (reply(b"busy", 503), r"status 503: b'busy'"),
        (reply(b"<html>"), r"no reply of OpenAI's protocol: b'<html>'"),
        (reply(b'{"choices": []}'), r"no reply of OpenAI's protocol"),
        (reply(saying(None)), r"no reply of OpenAI's protocol"),
        (reply(saying("...")), r"no wordings in '\.\.\.'; allowed: a JSON list of strings, or a line each"),
        (reply(b"x" * (2**20 + 1)), r"a reply of more than 1 MiB"),
    ],
)
def test_a_reply_that_cannot_be_used_says_what_came(answer: Answer, message: str) -> None:
    with server(answer) as url, pytest.raises(RewriteError, match=f"{re.escape(url)}: {message}"):
        served(url).rewrite("which king")


def test_a_server_that_is_down_is_named() -> None:
    with pytest.raises(RewriteError, match=r"http://127\.0\.0\.1:9: no reply: ConnectionRefusedError"):
        served(DOWN).rewrite("which king")


def test_the_time_limit_is_for_the_whole_reply_and_not_for_each_byte() -> None:
    def drip(handler: Handler, _: dict[str, object]) -> None:
        handler.send_response(200)
        handler.end_headers()
        for place in range(100):
            handler.wfile.write(b" " * (place % 2 + 1))
            time.sleep(0.05)

    with server(drip) as url, pytest.raises(RewriteError, match=r"no reply within 0\.3 s"):
        served(url, limit_seconds=0.3).rewrite("which king")


def test_a_script_puts_other_words_in_the_place_of_those_it_knows() -> None:
    scripted = Scripted(words={"king": ["sovereign", "monarch"]}, number=3)
    assert scripted.rewrite("Which king, the king?") == [
        "Which sovereign, the sovereign?",
        "Which monarch, the monarch?",
    ]
    assert scripted.rewrite("nothing known") == ["nothing known"]


def test_queries_that_fail_are_counted_and_the_others_kept_for_the_next_attempt(tmp_path: Path) -> None:
    asked: list[str] = []

    class Half:
        def rewrite(self, query: str) -> list[str]:
            asked.append(query)
            if query.startswith("bad"):
                raise RewriteError("no wordings")
            return [f"other {query}"]

    queries = {"1": "good", "2": "bad", "3": "good too"}
    told: list[tuple[int, int]] = []
    first = collect(queries, Half(), tmp_path / "kept.jsonl", lambda *numbers: told.append(numbers))
    assert told == [(3, 3)]
    assert first.by_query == {"1": ["other good"], "3": ["other good too"]}
    assert first.failures == {"2": "no wordings"}
    asked.clear()
    assert collect(queries, Half(), tmp_path / "kept.jsonl") == first
    assert asked == ["bad"]


def test_a_server_that_never_answers_is_not_asked_about_every_query(tmp_path: Path) -> None:
    asked: list[str] = []

    class Down:
        def rewrite(self, query: str) -> list[str]:
            asked.append(query)
            raise RewriteError("down")

    found = collect({str(number): "q" for number in range(100)}, Down(), tmp_path / "kept.jsonl")
    assert len(asked) <= MOST_IN_A_ROW + PARALLEL
    assert found.failures == {str(number): "down" for number in range(100)}

"""What a server makes of good requests, of bad ones, and of a client that leaves in the middle of its answer."""

from __future__ import annotations

import json

from jobs.load.stream import END, payloads
from jobs.serving.asking import Begun, Reply, ask, completion
from jobs.serving.endpoint import Endpoint

PROMPT = "The library is open"
NEW_TOKENS = 8


def statuses(endpoint: Endpoint, *, max_model_len: int) -> dict[str, float]:
    """HTTP statuses of one good request, whole and as a stream, and of every bad one; then of a good one again.

    `same_text` is 1 where the stream said what the whole answer says. Every word is a token at least, so as many words
    as the model has tokens are too many with an answer.

    Raises:
        ClusterlabError: one was not answered at all.
    """
    good = completion(endpoint, PROMPT, NEW_TOKENS)
    whole, stream = ask(endpoint, good), ask(endpoint, good | {"stream": True})
    bad = {
        "overlong": ask(endpoint, completion(endpoint, "so " * max_model_len, NEW_TOKENS)),
        "bad_json": ask(endpoint, b'{"model": '),
        "unknown_model": ask(endpoint, good | {"model": "unknown"}),
        "no_key": ask(endpoint, good, {}),
        "wrong_key": ask(endpoint, good, {"Authorization": "Bearer wrong"}),
    }
    after = ask(endpoint, good)
    asked = {"whole": whole, "stream": stream, **bad, "after": after}
    same = len({whole.choice()["text"], _text(stream), after.choice()["text"]}) == 1
    return {f"status_{name}": float(reply.status) for name, reply in asked.items()} | {"same_text": float(same)}


def status_after_hang_up(endpoint: Endpoint, *, new_tokens: int) -> int:
    """A client asks for so many tokens and is gone after the first: the status of the next request.

    Raises:
        ClusterlabError: the first was not begun, or the next not answered at all.
    """
    Begun.of(endpoint, completion(endpoint, PROMPT, new_tokens)).hang_up()
    return ask(endpoint, completion(endpoint, PROMPT, NEW_TOKENS)).status


def _text(stream: Reply) -> str:
    events = [json.loads(data) for _, data in payloads([(0.0, stream.body)]) if data != END]
    return "".join(event["choices"][0]["text"] for event in events if event.get("choices"))

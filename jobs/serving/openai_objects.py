"""OpenAI's objects: completions and chat completions, whole and in chunks, with what vLLM adds to them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any

from jobs.serving.asked import Asked, Finish, Piece
from jobs.serving.generator import Vocabulary

REASONS = {Finish.LENGTH: "length", Finish.EOS: "stop", Finish.STOP: "stop"}
DEFAULT_MAX_TOKENS = 16
"""Of a completion; a chat's answer may fill the context."""


class Completion:
    """The objects of one completion."""

    prefix, kind, chunk_kind = "cmpl", "text_completion", "text_completion"
    length_fields: tuple[str, ...] = ("max_tokens",)
    """The fields that say how long it may be; the first that is there counts."""

    def __init__(self, model: str, vocabulary: Vocabulary, *, with_ids: bool) -> None:
        self._model, self._vocabulary, self._with_ids = model, vocabulary, with_ids
        self._id, self._created = f"{self.prefix}-{uuid.uuid4().hex}", int(time.time())
        self._begun = False

    def whole(self, asked: Asked, answers: Sequence[Sequence[Piece]]) -> dict[str, Any]:
        """All answers to a request in one object, each a choice; the prompt is counted once."""
        joined = [_joined(pieces) for pieces in answers]
        choices = [
            self._choice(each) | self._ids(asked, each, first=True) | {"index": index}
            for index, each in enumerate(joined)
        ]
        return self._object(self.kind, choices) | {"usage": usage(asked, sum(len(each.tokens) for each in joined))}

    def chunk(self, asked: Asked, piece: Piece) -> dict[str, Any]:
        """A part of a stream."""
        first, self._begun = not self._begun, True
        return self._object(self.chunk_kind, [self._delta(piece, first=first) | self._ids(asked, piece, first=first)])

    def last_chunk(self, asked: Asked, num_tokens: int) -> dict[str, Any]:
        """The part that has the usage and no choice."""
        return self._object(self.chunk_kind, []) | {"usage": usage(asked, num_tokens)}

    def default_length(self, room: int) -> int:
        """How long it may be where nothing says so."""
        return min(room, DEFAULT_MAX_TOKENS)

    def _choice(self, piece: Piece) -> dict[str, Any]:
        return _alone(piece) | {"text": piece.text, "logprobs": self._logprobs(piece)}

    def _delta(self, piece: Piece, *, first: bool) -> dict[str, Any]:
        del first  # A chat's says whose it is.
        return self._choice(piece)

    def _logprobs(self, piece: Piece) -> dict[str, Any] | None:
        if not piece.logprobs:
            return None
        text_of = self._vocabulary.text_of
        return {
            "tokens": [text_of(token) for token in piece.tokens],
            "token_logprobs": list(piece.logprobs),
            "top_logprobs": [{text_of(each.id): each.logprob for each in top} for top in piece.tops] or None,
            "text_offset": [],
        }

    def _ids(self, asked: Asked, piece: Piece, *, first: bool) -> dict[str, Any]:
        """As vLLM's `return_token_ids`; the prompt's come once."""
        if not self._with_ids:
            return {}
        return {"token_ids": list(piece.tokens), "prompt_token_ids": list(asked.prompt) if first else None}

    def _object(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {"id": self._id, "object": kind, "created": self._created, "model": self._model, "choices": choices}


class Chat(Completion):
    """Those of a chat completion."""

    prefix, kind, chunk_kind = "chatcmpl", "chat.completion", "chat.completion.chunk"
    length_fields = ("max_completion_tokens", "max_tokens")

    def default_length(self, room: int) -> int:
        """To the end of the context."""
        return room

    def _choice(self, piece: Piece) -> dict[str, Any]:
        return _alone(piece) | {"message": {"role": "assistant", "content": piece.text}, "logprobs": None}

    def _delta(self, piece: Piece, *, first: bool) -> dict[str, Any]:
        role = {"role": "assistant"} if first else {}
        return _alone(piece) | {"delta": role | {"content": piece.text}, "logprobs": None}


def usage(asked: Asked, num_tokens: int) -> dict[str, int]:
    """Tokens of a prompt, of its answer, and of both."""
    num_prompt = len(asked.prompt)
    return {"prompt_tokens": num_prompt, "completion_tokens": num_tokens, "total_tokens": num_prompt + num_tokens}


def _joined(pieces: Sequence[Piece]) -> Piece:
    """A whole answer in one piece."""
    return Piece(
        tokens=tuple(token for piece in pieces for token in piece.tokens),
        text="".join(piece.text for piece in pieces),
        finish=pieces[-1].finish,
        logprobs=tuple(logprob for piece in pieces for logprob in piece.logprobs),
        tops=tuple(top for piece in pieces for top in piece.tops),
    )


def _alone(piece: Piece) -> dict[str, Any]:
    return {"index": 0, "finish_reason": None if piece.finish is None else REASONS[piece.finish]}

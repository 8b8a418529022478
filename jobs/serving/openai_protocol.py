"""OpenAI's protocol: completions, chat completions and models, with vLLM's extensions for fixed lengths.

Clients are OpenAI's own, and this project's load generator. What would ask for another answer than is given is refused.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jobs.serving.asked import Asked, Finish, Piece
from jobs.serving.backend import Backend
from jobs.serving.batching import GenerationError
from jobs.serving.body import Body, RefusedError
from jobs.serving.web import CLIENT_LEFT, Answer, event, stream, unless_gone

REASONS = {Finish.LENGTH: "length", Finish.EOS: "stop", Finish.STOP: "stop"}
DEFAULT_MAX_TOKENS = 16
"""Of a completion; a chat's answer may fill the context."""
MAX_STOPS = 4
DONE = "data: [DONE]\n\n"

NEUTRAL: dict[str, Any] = {
    **dict.fromkeys(("n", "best_of"), (1,)),
    **dict.fromkeys(("presence_penalty", "frequency_penalty"), (0,)),
    **dict.fromkeys(("echo", "logprobs"), (False,)),
    "logit_bias": ({},),
    "tools": ([],),
    "response_format": ({"type": "text"},),
    "repetition_penalty": (1,),
}
NEVER = ("suffix", "top_logprobs", "prompt_logprobs", "tool_choice", "guided_json", "structured_outputs")


class OpenAI:
    """The protocol in front of one model."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.open_paths = frozenset({"/health"})
        self.paths: Mapping[tuple[str, str], Answer] = {
            ("GET", "/health"): self._health,
            ("GET", "/v1/models"): self._models,
            ("POST", "/v1/completions"): self._completions,
            ("POST", "/v1/chat/completions"): self.chat_completions,
        }

    def error(self, refused: RefusedError) -> dict[str, Any]:
        """OpenAI's error object, with the status as its code, as vLLM sends it."""
        kind = "".join(word.capitalize() for word in refused.status.phrase.split()) + "Error"
        fields = {"message": refused.message, "type": kind, "param": refused.field, "code": int(refused.status)}
        return {"error": fields}

    async def chat_completions(self, request: Request) -> Response:
        """`POST /v1/chat/completions`; TGI has it too."""
        body = Body(await request.body())
        prompt = self._conversation(body)
        return await self._answer(request, body, prompt, _Chat(self._model(body)))

    async def _completions(self, request: Request) -> Response:
        body = Body(await request.body())
        model = self._model(body)
        return await self._answer(request, body, self._prompt(body), _Completion(model))

    async def _health(self, _: Request) -> Response:
        return Response()

    async def _models(self, _: Request) -> Response:
        backend = self._backend
        cards = [
            {
                "id": name,
                "object": "model",
                "created": 0,
                "owned_by": "clusterlab",
                "root": backend.served_name,
                "max_model_len": backend.max_model_len,
            }
            for name in (backend.served_name, *backend.adapters)
        ]
        return JSONResponse({"object": "list", "data": cards})

    async def _answer(self, request: Request, body: Body, prompt: tuple[int, ...], form: _Completion) -> Response:
        asked = self._asked(body, prompt, form)
        usage = body.inner("stream_options").flag("include_usage")
        if asked.streamed:
            return stream(self._events(asked, form, with_usage=usage))
        pieces = await unless_gone(request, self._collected(asked))
        if pieces is None:
            return Response(status_code=CLIENT_LEFT)
        choice = form.choice("".join(piece.text for piece in pieces), pieces[-1].finish)
        num_tokens = sum(len(piece.tokens) for piece in pieces)
        return JSONResponse(form.object([choice]) | {"usage": _usage(asked, num_tokens)})

    async def _collected(self, asked: Asked) -> list[Piece]:
        try:
            return [piece async for piece in self._backend.pieces(asked)]
        except GenerationError as error:
            raise RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, str(error)) from error

    async def _events(self, asked: Asked, form: _Completion, *, with_usage: bool) -> AsyncGenerator[str, None]:
        """A token an event. What goes wrong after the first is an event, since the status has been sent."""
        num_tokens = 0
        try:
            async for piece in self._backend.pieces(asked):
                yield event(form.chunk([form.delta(piece.text, piece.finish)]))
                num_tokens += len(piece.tokens)
        except GenerationError as error:
            yield event(self.error(RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))))
        except RefusedError as refused:
            yield event(self.error(refused))
        else:
            if with_usage:
                yield event(form.chunk([]) | {"usage": _usage(asked, num_tokens)})
            yield DONE

    def _asked(self, body: Body, prompt: tuple[int, ...], form: _Completion) -> Asked:
        body.refuse_others(NEVER, NEUTRAL)
        room = self._backend.max_model_len - len(prompt)
        if room < 1:
            raise self._too_long(len(prompt), 1)
        field = next((name for name in form.length_fields if body.value(name) is not None), "max_tokens")
        max_tokens = body.integer(field, form.default_length(room), least=1)
        if max_tokens > room:
            raise self._too_long(len(prompt), max_tokens)
        top_k = body.integer("top_k", 0, least=-1)
        return Asked(
            prompt=prompt,
            max_tokens=max_tokens,
            min_tokens=body.integer("min_tokens", 0, most=max_tokens),
            ignore_eos=body.flag("ignore_eos"),
            temperature=body.number("temperature", 1, least=0, most=2),
            top_p=body.number("top_p", 1, least=0, most=1, above=True),
            top_k=max(0, top_k),
            seed=body.integer_or_none("seed", least=0, most=2**63 - 1),
            stop=body.strings("stop", most=MAX_STOPS),
            streamed=body.flag("stream"),
            adapter=None if form.model == self._backend.served_name else form.model,
        )

    def _model(self, body: Body) -> str:
        name = body.text("model")
        known = (self._backend.served_name, *self._backend.adapters)
        if name not in known:
            message = f"model: {name!r} is not served; allowed: {', '.join(known)}"
            raise RefusedError(HTTPStatus.NOT_FOUND, message, field="model")
        return name

    def _prompt(self, body: Body) -> tuple[int, ...]:
        """A string or token ids, alone or as the one element of a list."""
        prompt = body.value("prompt")
        if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str | list):
            prompt = prompt[0]
        size = self._backend.vocabulary.size
        if isinstance(prompt, str):
            prompt = list(self._backend.vocabulary.tokens_of(prompt))
        right = isinstance(prompt, list) and prompt and all(type(token) is int for token in prompt)
        if not right or not all(0 <= token < size for token in prompt):
            raise body.refusal("prompt", f"one string, or one list of token ids from 0 to {size - 1}, not empty")
        return tuple(prompt)

    def _conversation(self, body: Body) -> tuple[int, ...]:
        self._model(body)
        messages = body.value("messages")
        if not isinstance(messages, list) or not messages or not all(map(_is_message, messages)):
            raise body.refusal("messages", "a list of objects with the strings role and content, not empty")
        prompt = self._backend.vocabulary.chat(messages)
        if prompt is None:
            message = "the model has no chat template; allowed: /v1/completions"
            raise RefusedError(HTTPStatus.BAD_REQUEST, message)
        return prompt

    def _too_long(self, num_prompt: int, num_answer: int) -> RefusedError:
        most = self._backend.max_model_len
        message = f"{num_prompt} tokens of the prompt and {num_answer} of the answer; allowed: {most} together"
        return RefusedError(HTTPStatus.BAD_REQUEST, message, field="prompt")


class _Completion:
    """The objects of a completion."""

    prefix, kind, chunk_kind = "cmpl", "text_completion", "text_completion"
    length_fields: tuple[str, ...] = ("max_tokens",)
    """The fields that say how long it may be; the first that is there counts."""

    def __init__(self, model: str) -> None:
        self.model = model
        self._begun = False
        self._id, self._created = f"{self.prefix}-{uuid.uuid4().hex}", int(time.time())

    def object(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        """A whole answer."""
        return self._object(self.kind, choices)

    def chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        """A part of a stream."""
        return self._object(self.chunk_kind, choices)

    def choice(self, text: str, finish: Finish | None) -> dict[str, Any]:
        """The answer."""
        reason = None if finish is None else REASONS[finish]
        return {"index": 0, "text": text, "logprobs": None, "finish_reason": reason}

    def delta(self, text: str, finish: Finish | None) -> dict[str, Any]:
        """A part of it."""
        return self.choice(text, finish)

    def default_length(self, room: int) -> int:
        """How long it may be where nothing says so."""
        return min(room, DEFAULT_MAX_TOKENS)

    def _object(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {"id": self._id, "object": kind, "created": self._created, "model": self.model, "choices": choices}


class _Chat(_Completion):
    """Those of a chat completion."""

    prefix, kind, chunk_kind = "chatcmpl", "chat.completion", "chat.completion.chunk"
    length_fields = ("max_completion_tokens", "max_tokens")

    def choice(self, text: str, finish: Finish | None) -> dict[str, Any]:
        """The assistant's message."""
        reason = None if finish is None else REASONS[finish]
        message = {"role": "assistant", "content": text}
        return {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}

    def delta(self, text: str, finish: Finish | None) -> dict[str, Any]:
        """A part of it; the first one says whose it is."""
        reason = None if finish is None else REASONS[finish]
        role = {} if self._begun else {"role": "assistant"}
        self._begun = True
        return {"index": 0, "delta": role | {"content": text}, "logprobs": None, "finish_reason": reason}

    def default_length(self, room: int) -> int:
        """To the end of the context."""
        return room


def _usage(asked: Asked, num_tokens: int) -> dict[str, int]:
    num_prompt = len(asked.prompt)
    return {"prompt_tokens": num_prompt, "completion_tokens": num_tokens, "total_tokens": num_prompt + num_tokens}


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("role"), str) and isinstance(value.get("content"), str)

"""OpenAI's protocol: completions, chat completions and models, with vLLM's extensions for fixed lengths.

Clients are OpenAI's own, and this project's load generator. What would ask for another answer than is given is refused.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jobs.serving.asked import Asked, Piece
from jobs.serving.backend import Backend, BusyError
from jobs.serving.batching import GenerationError
from jobs.serving.body import Body, RefusedError
from jobs.serving.openai_objects import Chat, Completion
from jobs.serving.web import CLIENT_LEFT, Answer, event, stream, unless_gone

MAX_STOPS = 4
MAX_CHOICES = 128
"""Answers of one request."""
DONE = "data: [DONE]\n\n"

NEUTRAL: dict[str, Any] = {
    "best_of": (1,),
    **dict.fromkeys(("presence_penalty", "frequency_penalty"), (0,)),
    "echo": (False,),
    "logit_bias": ({},),
    "tools": ([],),
    "response_format": ({"type": "text"},),
    "repetition_penalty": (1,),
}
MAX_TOP = 5
"""Of the likeliest tokens, whose log-probabilities a completion may have beside its own."""
NEVER = ("suffix", "top_logprobs", "prompt_logprobs", "tool_choice", "guided_json", "structured_outputs")


class OpenAI:
    """The protocol in front of one model or several, each with its adapters."""

    def __init__(self, backends: Sequence[Backend]) -> None:
        self._backends = {name: each for each in backends for name in (each.served_name, *each.adapters)}
        self.open_paths = frozenset({"/health"})
        self.paths: Mapping[tuple[str, str], Answer] = {
            ("GET", "/health"): self._health,
            ("GET", "/v1/models"): self.models,
            ("POST", "/v1/completions"): self.completions,
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
        body.refuse_others((), {"logprobs": (False,)})
        backend, name = self._model(body)
        form = Chat(name, backend.vocabulary, with_ids=body.flag("return_token_ids"))
        return await self._answer(
            request, backend, _asked(body, backend, _conversation(body, backend), form), form, body
        )

    async def completions(self, request: Request) -> Response:
        """`POST /v1/completions`."""
        body = Body(await request.body())
        backend, name = self._model(body)
        form = Completion(name, backend.vocabulary, with_ids=body.flag("return_token_ids"))
        return await self._answer(request, backend, _asked(body, backend, _prompt(body, backend), form), form, body)

    async def _health(self, _: Request) -> Response:
        return Response()

    async def models(self, _: Request) -> Response:
        """`GET /v1/models`."""
        cards = [
            {
                "id": name,
                "object": "model",
                "created": 0,
                "owned_by": "clusterlab",
                "root": backend.served_name,
                "max_model_len": backend.max_model_len,
            }
            for name, backend in self._backends.items()
        ]
        return JSONResponse({"object": "list", "data": cards})

    async def _answer(self, request: Request, backend: Backend, asked: Asked, form: Completion, body: Body) -> Response:
        with_usage = body.inner("stream_options").flag("include_usage")
        num_choices = body.integer("n", 1, least=1, most=MAX_CHOICES)
        if asked.streamed:
            if num_choices > 1:
                raise body.refusal("n", "1 in a stream")
            return stream(self._events(backend, asked, form, with_usage=with_usage))
        work = asyncio.gather(*(collected(backend, each) for each in _choices(asked, num_choices)))
        answers = await unless_gone(request, work)
        return Response(status_code=CLIENT_LEFT) if answers is None else JSONResponse(form.whole(asked, answers))

    async def _events(
        self, backend: Backend, asked: Asked, form: Completion, *, with_usage: bool
    ) -> AsyncGenerator[str, None]:
        """A token an event. What goes wrong is an event too, since the status has been sent."""
        num_tokens = 0
        try:
            async for piece in backend.pieces(asked):
                yield event(form.chunk(asked, piece))
                num_tokens += len(piece.tokens)
        except (GenerationError, BusyError) as error:
            yield event(self.error(refusal_of(error)))
            return
        if with_usage:
            yield event(form.last_chunk(asked, num_tokens))
        yield DONE

    def _model(self, body: Body) -> tuple[Backend, str]:
        name = body.text("model")
        if name not in self._backends:
            message = f"model: {name!r} is not served; allowed: {', '.join(self._backends)}"
            raise RefusedError(HTTPStatus.NOT_FOUND, message, field="model")
        return self._backends[name], name


async def collected(backend: Backend, asked: Asked) -> list[Piece]:
    """All pieces of an answer.

    Raises:
        RefusedError: there is none.
    """
    try:
        return [piece async for piece in backend.pieces(asked)]
    except (GenerationError, BusyError) as error:
        raise refusal_of(error) from error


def refusal_of(error: GenerationError | BusyError) -> RefusedError:
    """What a client is told of an answer that does not come: 503 where it can ask again."""
    busy = isinstance(error, BusyError)
    return RefusedError(HTTPStatus.SERVICE_UNAVAILABLE if busy else HTTPStatus.INTERNAL_SERVER_ERROR, str(error))


def _asked(body: Body, backend: Backend, prompt: tuple[int, ...], form: Completion) -> Asked:
    body.refuse_others(NEVER, NEUTRAL)
    room = backend.max_model_len - len(prompt)
    if room < 1:
        raise _too_long(len(prompt), 1, backend)
    field = next((name for name in form.length_fields if body.value(name) is not None), "max_tokens")
    max_tokens = body.integer(field, form.default_length(room), least=1)
    if max_tokens > room:
        raise _too_long(len(prompt), max_tokens, backend)
    name = body.text("model")
    return Asked(
        prompt=prompt,
        max_tokens=max_tokens,
        min_tokens=body.integer("min_tokens", 0, most=max_tokens),
        ignore_eos=body.flag("ignore_eos"),
        temperature=body.number("temperature", 1, least=0, most=2),
        top_p=body.number("top_p", 1, least=0, most=1, above=True),
        top_k=max(0, body.integer("top_k", 0, least=-1)),
        seed=body.integer_or_none("seed", most=2**63 - 1),
        stop=body.strings("stop", most=MAX_STOPS),
        streamed=body.flag("stream"),
        num_top=None if isinstance(form, Chat) else body.integer_or_none("logprobs", most=MAX_TOP),
        adapter=None if name == backend.served_name else name,
    )


def _choices(asked: Asked, number: int) -> list[Asked]:
    """The same question so many times. Each answer has a seed of its own, or all would be one."""
    if asked.seed is None or number == 1:
        return [asked] * number
    return [dataclasses.replace(asked, seed=(asked.seed + index) % 2**63) for index in range(number)]


def _prompt(body: Body, backend: Backend) -> tuple[int, ...]:
    """A string or token ids, alone or as the one element of a list."""
    prompt = body.value("prompt")
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str | list):
        prompt = prompt[0]
    size = backend.vocabulary.size
    if isinstance(prompt, str):
        prompt = list(backend.vocabulary.tokens_of(prompt))
    right = isinstance(prompt, list) and prompt and all(type(token) is int for token in prompt)
    if not right or not all(0 <= token < size for token in prompt):
        raise body.refusal("prompt", f"one string, or one list of token ids from 0 to {size - 1}, not empty")
    return tuple(prompt)


def _conversation(body: Body, backend: Backend) -> tuple[int, ...]:
    messages = body.value("messages")
    if not isinstance(messages, list) or not messages or not all(map(_is_message, messages)):
        raise body.refusal("messages", "a list of objects with the strings role and content, not empty")
    prompt = backend.vocabulary.chat(messages)
    if prompt is None:
        message = "the model has no chat template; allowed: /v1/completions"
        raise RefusedError(HTTPStatus.BAD_REQUEST, message)
    return prompt


def _too_long(num_prompt: int, num_answer: int, backend: Backend) -> RefusedError:
    most = backend.max_model_len
    message = f"{num_prompt} tokens of the prompt and {num_answer} of the answer; allowed: {most} together"
    return RefusedError(HTTPStatus.BAD_REQUEST, message, field="prompt")


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("role"), str) and isinstance(value.get("content"), str)

"""The protocol of Text Generation Inference, which was archived in 2026, as its last clients speak it.

Paths, fields, statuses and errors are those of TGI 3 (huggingface/text-generation-inference, docs/openapi.json);
`text-generation` 0.7.0 is its own client. The server behind it is this project's, and says so at `/info`.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jobs.serving.asked import Asked, Piece
from jobs.serving.backend import Backend, BusyError
from jobs.serving.batching import GenerationError
from jobs.serving.body import Body, RefusedError
from jobs.serving.openai_protocol import OpenAI, collected, refusal_of
from jobs.serving.web import CLIENT_LEFT, Answer, event, stream, unless_gone

DEFAULT_NEW_TOKENS = 100
MAX_STOPS = 4
MAX_TOP = 5
MAX_REQUESTS = 128
"""That are answered or wait at one time, TGI's `--max-concurrent-requests`."""
ROUTER = "clusterlab-tgi-protocol"
ERRORS = {
    HTTPStatus.UNPROCESSABLE_ENTITY: "validation",
    HTTPStatus.TOO_MANY_REQUESTS: "overloaded",
    HTTPStatus.FAILED_DEPENDENCY: "generation",
    HTTPStatus.SERVICE_UNAVAILABLE: "unhealthy",
}
NEVER = ("grammar", "adapter_id")
NEUTRAL: dict[str, Any] = {
    "best_of": (1,),
    "repetition_penalty": (1,),
    "frequency_penalty": (0,),
    "typical_p": (1,),
    "watermark": (False,),
}


class Tgi:
    """The protocol in front of one model."""

    def __init__(self, backend: Backend, *, device: str) -> None:
        self._backend, self._device = backend, device
        self._openai = OpenAI([backend])
        self._num_requests = 0
        self.open_paths = frozenset({"/health"})
        self.paths: Mapping[tuple[str, str], Answer] = {
            ("GET", "/health"): self._health,
            ("GET", "/info"): self._info,
            ("POST", "/"): self._either,
            ("POST", "/generate"): self._generate,
            ("POST", "/generate_stream"): self._generate_stream,
            ("POST", "/v1/chat/completions"): _through(self._openai.chat_completions),
            ("POST", "/v1/completions"): _through(self._openai.completions),
            ("GET", "/v1/models"): _through(self._openai.models),
        }

    def error(self, refused: RefusedError) -> dict[str, Any]:
        """TGI's error object."""
        return {"error": refused.message, "error_type": ERRORS.get(refused.status, "validation")}

    async def _health(self, _: Request) -> Response:
        return Response()

    async def _info(self, _: Request) -> Response:
        longest = self._backend.max_model_len
        return JSONResponse(
            {
                "model_id": self._backend.served_name,
                "model_sha": None,
                "model_device_type": self._device,
                "model_pipeline_tag": "text-generation",
                "max_concurrent_requests": MAX_REQUESTS,
                "max_best_of": 1,
                "max_stop_sequences": MAX_STOPS,
                "max_input_tokens": longest - 1,
                "max_total_tokens": longest,
                "router": ROUTER,
                "version": "3",
            }
        )

    async def _either(self, request: Request) -> Response:
        """What the client `text-generation` asks: a list where it asks for no stream."""
        if _body(await request.body()).flag("stream"):
            return await self._generate_stream(request)
        return await self._whole(request, listed=True)

    async def _generate(self, request: Request) -> Response:
        return await self._whole(request, listed=False)

    async def _whole(self, request: Request, *, listed: bool) -> Response:
        body = _body(await request.body())
        asked = self._asked(body, streamed=False)
        with self._place():
            try:
                pieces = await unless_gone(request, collected(self._backend, asked))
            except RefusedError as refused:
                raise _as_tgi(refused) from refused
        if pieces is None:
            return Response(status_code=CLIENT_LEFT)
        (piece,) = pieces
        parameters = body.inner("parameters")
        answer: dict[str, Any] = {"generated_text": self._beginning(body) + piece.text}
        if parameters.flag("details"):
            with_prompt = parameters.flag("decoder_input_details")
            answer["details"] = self._details(asked, piece, with_prompt=with_prompt)
        return JSONResponse([answer] if listed else answer)

    async def _generate_stream(self, request: Request) -> Response:
        body = _body(await request.body())
        asked = self._asked(body, streamed=True)
        return stream(self._events(asked, self._beginning(body)))

    async def _events(self, asked: Asked, beginning: str) -> AsyncGenerator[str, None]:
        """A token an event; the last one has the whole text."""
        said, index = beginning, 0
        try:
            with self._place():
                async for piece in self._backend.pieces(asked):
                    index, said = index + 1, said + piece.text
                    yield event(self._token_event(asked, piece, index, said), space="")
        except (GenerationError, BusyError) as error:
            yield event(self.error(_as_tgi(refusal_of(error))), space="")
        except RefusedError as refused:
            yield event(self.error(refused), space="")

    def _token_event(self, asked: Asked, piece: Piece, index: int, said: str) -> dict[str, Any]:
        (token,) = self._tokens(piece)
        found: dict[str, Any] = {"index": index, "token": token | {"text": piece.text}}
        found |= {"generated_text": None, "details": None}
        if asked.num_top:
            found["top_tokens"] = self._tops(piece)[0]
        if piece.finish is not None:
            details = {"finish_reason": piece.finish, "generated_tokens": index, "seed": asked.seed}
            found |= {"generated_text": said, "details": details | {"input_length": len(asked.prompt)}}
        return found

    def _details(self, asked: Asked, piece: Piece, *, with_prompt: bool) -> dict[str, Any]:
        text_of = self._backend.vocabulary.text_of
        prefill = [{"id": token, "text": text_of(token), "logprob": None} for token in asked.prompt]
        details = {
            "finish_reason": piece.finish,
            "generated_tokens": len(piece.tokens),
            "seed": asked.seed,
            "prefill": prefill if with_prompt else [],
            "tokens": self._tokens(piece),
        }
        return details | ({"top_tokens": self._tops(piece)} if asked.num_top else {})

    def _tokens(self, piece: Piece) -> list[dict[str, Any]]:
        return [self._token(token, logprob) for token, logprob in zip(piece.tokens, piece.logprobs, strict=True)]

    def _tops(self, piece: Piece) -> list[list[dict[str, Any]]]:
        return [[self._token(each.id, each.logprob) for each in top] for top in piece.tops]

    def _token(self, token: int, logprob: float) -> dict[str, Any]:
        vocabulary = self._backend.vocabulary
        text, special = vocabulary.text_of(token), vocabulary.special(token)
        return {"id": token, "text": text, "logprob": logprob, "special": special}

    def _beginning(self, body: Body) -> str:
        return body.text("inputs") if body.inner("parameters").flag("return_full_text") else ""

    def _asked(self, body: Body, *, streamed: bool) -> Asked:
        inputs, parameters = body.text("inputs"), body.inner("parameters")
        if not inputs:
            raise body.refusal("inputs", "a string that is not empty")
        parameters.refuse_others(NEVER, NEUTRAL)
        prompt = self._backend.vocabulary.tokens_of(inputs)
        if (kept := parameters.integer_or_none("truncate", least=1)) is not None:
            prompt = prompt[-kept:]
        max_tokens = parameters.integer("max_new_tokens", DEFAULT_NEW_TOKENS, least=1)
        longest = self._backend.max_model_len
        if len(prompt) + max_tokens > longest:
            given = f"Given: {len(prompt)} `inputs` tokens and {max_tokens} `max_new_tokens`"
            message = f"Input validation error: `inputs` tokens + `max_new_tokens` must be <= {longest}. {given}"
            raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, message)
        drawn = parameters.flag("do_sample") or any(
            parameters.value(name) is not None for name in ("temperature", "top_k", "top_p")
        )
        temperature = parameters.number("temperature", 1, least=0, most=100, above=True)
        return Asked(
            prompt=prompt,
            max_tokens=max_tokens,
            temperature=temperature if drawn else 0,
            top_p=parameters.number("top_p", 1, least=0, most=1, above=True),
            top_k=parameters.integer("top_k", 0),
            seed=parameters.integer_or_none("seed", most=2**63 - 1),
            stop=parameters.strings("stop", most=MAX_STOPS),
            keep_stop=True,
            streamed=streamed,
            num_top=parameters.integer("top_n_tokens", 0, most=MAX_TOP),
        )

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        """One of the requests that are answered or wait."""
        if self._num_requests >= MAX_REQUESTS:
            raise RefusedError(HTTPStatus.TOO_MANY_REQUESTS, "Model is overloaded")
        self._num_requests += 1
        try:
            yield
        finally:
            self._num_requests -= 1


def _body(content: bytes) -> Body:
    return Body(content, status=HTTPStatus.UNPROCESSABLE_ENTITY)


def _through(handler: Answer) -> Answer:
    """A path of OpenAI's, with TGI's statuses."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except RefusedError as refused:
            raise _as_tgi(refused) from refused

    return answer


def _as_tgi(refused: RefusedError) -> RefusedError:
    """TGI says 422 of a wrong request, and 424 where the model failed."""
    if refused.status == HTTPStatus.BAD_REQUEST:
        return RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, refused.message, field=refused.field)
    if refused.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return RefusedError(HTTPStatus.FAILED_DEPENDENCY, f"Request failed during generation: {refused.message}")
    return refused

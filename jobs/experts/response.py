"""HuggingGPT's fourth stage: the language model is given the request and the answers, and says it in words.

What it is given is right where the right controller's answers are, so that this stage is judged by itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from jobs.experts.controllers import MODEL, RIGHT, LanguageModel
from jobs.experts.requests import Request
from jobs.experts.routing import Routed
from jobs.thinking.journal import Attempt
from jobs.thinking.session import Session

LABELS = {RIGHT: "the right plan's answers", MODEL: "its own plan's answers"}
"""Of whose answers are put into words, by controller."""


async def respond_all(
    session: Session[Attempt], requests: Sequence[Request], attempts: Sequence[Routed], model: LanguageModel
) -> None:
    """Have it say what came of each request that got all answers, by the right plan and by its own.

    Raises:
        SpentError, UnreachableError, InputError: as `Client.ask` does; what was said until then is kept.
    """
    for name in LABELS:
        answered = [each for each in attempts if each.method == name and each.answers and None not in each.answers]

        async def respond(number: int, routed: Routed, name: str = name) -> Attempt:
            return await _respond(number, requests[routed.problem], routed, model, _method(name))

        await session.attempts(_method(name), sorted(answered, key=lambda each: each.problem), respond)


def tells(text: str, answers: Sequence[str]) -> bool:
    """Whether all answers stand in a text, as whole words."""
    return all(re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", text, re.IGNORECASE) for answer in answers)


def metrics_of(said: Sequence[Attempt]) -> dict[str, float]:
    """`told_right` and `told_model`: shares of responses that have all answers in them, where some were asked for."""
    found = {name: [each.right for each in said if each.method == _method(name)] for name in LABELS}
    return {_method(name): sum(told) / len(told) for name, told in found.items() if told}


def lines_of(said: Sequence[Attempt]) -> str:
    """The same as a paragraph of Markdown; empty where nobody was asked."""
    shares, parts = metrics_of(said), []
    for name, label in LABELS.items():
        number = sum(each.method == _method(name) for each in said)
        parts += [f"of {number} with {label} {100 * shares[_method(name)]:.1f} %"] if number else []
    if not parts:
        return ""
    return f"\nPut into words by the language model (the paper's fourth stage), all answers told: {', '.join(parts)}.\n"


def _method(name: str) -> str:
    return f"told_{name}"


async def _respond(number: int, request: Request, routed: Routed, model: LanguageModel, method: str) -> Attempt:
    answers = [answer for answer in routed.answers if answer is not None]
    reply = await model.client.ask(model.words.response(request, list(zip(routed.last_tasks, answers, strict=True))))
    return Attempt(
        method=method,
        problem=number,
        right=tells(reply.texts[0], answers),
        said=list(reply.texts),
        prompt_tokens=reply.prompt_tokens,
        new_tokens=reply.new_tokens,
        requests=1,
    )

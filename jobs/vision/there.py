"""Pictures that a server answers for, by OpenAI's protocol: a picture travels in its message."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

from jobs.thinking.client import Asked, Client
from jobs.thinking.journal import Journal
from jobs.thinking.session import Session
from jobs.vision.here import conversation
from jobs.vision.learner import Learner, make_processor
from jobs.vision.tiling import SIZES, scaled
from jobs.vision.views import Answered, Posed, Said

QUESTION = "How many things are there?"
"""Of pictures whose tokens alone matter."""


def data_url(picture: Any) -> str:
    """A PIL image as a URL that holds it: PNG, which loses nothing, in base64."""
    content = io.BytesIO()
    picture.save(content, "PNG")
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"


async def answer_there(
    client: Client,
    method: str,
    posed: Sequence[Posed],
    journal: Journal[Answered],
    *,
    max_tokens: int,
    concurrency: int,
) -> None:
    """Have answered what has no answer in the journal yet, greedily.

    Raises:
        UnreachableError, InputError, ClusterlabError: as `jobs.thinking.client.Client.ask`; what was answered is kept.
    """

    async def attempt(number: int, one: Posed) -> Answered:
        reply = await client.ask(_asked(one.picture(), one.text, max_tokens))
        said = Said(text=reply.texts[0], prompt_tokens=reply.prompt_tokens, new_tokens=reply.new_tokens)
        return one.answered(method, number, said)

    await Session(journal=journal, concurrency=concurrency).attempts(method, posed, attempt)


async def counts_there(client: Client, learner: Learner) -> dict[str, int]:
    """How many tokens the server of a model of ours makes of a picture of every size, by the size's name.

    They are those of a prompt, less the words beside the picture, which the processor counts.

    Raises:
        UnreachableError, InputError, ClusterlabError: as `jobs.thinking.client.Client.ask`.
    """
    from PIL import Image

    processor = make_processor(learner)
    prompt = processor.apply_chat_template([conversation(QUESTION, {"type": "image"})], add_generation_prompt=True)
    # One of them stands for the picture.
    num_words = len(processor.tokenizer(prompt)["input_ids"]) - 1
    found = {}
    for name, size in SIZES.items():
        height, width = scaled(size, learner.tiling)
        reply = await client.ask(_asked(Image.new("RGB", (width, height)), QUESTION, 1))
        found[name] = reply.prompt_tokens - num_words
    return found


def _asked(picture: Any, text: str, max_tokens: int) -> Asked:
    part = {"type": "image_url", "image_url": {"url": data_url(picture)}}
    return Asked(messages=(conversation(text, part),), max_tokens=max_tokens)

"""Pictures that a server answers for, by OpenAI's protocol: a picture travels in its message."""

from __future__ import annotations

import base64
import io
import subprocess
from collections.abc import Sequence
from typing import Any

from clusterlab.errors import MissingError
from jobs.thinking.client import Asked, Client
from jobs.thinking.journal import Journal
from jobs.thinking.session import Session
from jobs.vision.here import conversation
from jobs.vision.views import Answered, Posed, Said


def require_sight(python: str) -> None:
    """Refuse an environment whose vLLM cannot load a LLaVA.

    Its module of LLaVA takes one function from transformers' module of Pixtral, and that one imports torchvision.

    Raises:
        MissingError: torchvision is not there.
    """
    asked = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torchvision') is None)"
    if subprocess.run([python, "-c", asked], check=False).returncode != 0:
        message = "has no torchvision, which vLLM 0.32 imports for every LLaVA; images/vllm.lock leaves it out"
        raise MissingError(f"{python}: {message}; allowed: an ENDPOINT whose server has it, or SERVE=false of `shapes`")


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
        picture = {"type": "image_url", "image_url": {"url": data_url(one.picture())}}
        reply = await client.ask(Asked(messages=(conversation(one.text, picture),), max_tokens=max_tokens))
        said = Said(text=reply.texts[0], prompt_tokens=reply.prompt_tokens, new_tokens=reply.new_tokens)
        return one.answered(method, number, said)

    await Session(journal=journal, concurrency=concurrency).attempts(method, posed, attempt)

"""Record the lengths of real requests: the first two turns of shared chats, in tokens, without any text.

python -m jobs.paging.record <chats in ShareGPT's JSON> <file for the lengths> <a line for it on their origin>
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from clusterlab.config import Source
from jobs.paging.trace import COLUMNS, Request

NUM_REQUESTS = 2000
SHORTEST, LONGEST_PROMPT, LONGEST = 4, 1024, 2048
"""What vLLM's own benchmark keeps of these chats: no text under 4 tokens, prompts to 1,024, both together to 2,048."""


def main() -> None:
    """Write the trace, with the line on its origin before it."""
    from jobs.llm.bases import Base
    from jobs.llm.process import quiet

    quiet()
    chats, trace, origin = sys.argv[1:]
    tokenizer = Base.of(Source("smollm2-135m-instruct"), lambda *_: None).tokenizer()
    pairs = list(first_turns(read_chats(Path(chats).read_text())))
    requests = record(pairs, lambda texts: [len(ids) for ids in tokenizer(texts)["input_ids"]])
    lines = [f"# {origin}", ",".join(COLUMNS)]
    lines += [f"{request.prompt_tokens},{request.output_tokens}" for request in requests]
    Path(trace).write_text("\n".join(lines) + "\n")


def record(
    pairs: list[tuple[str, str]], lengths: Callable[[list[str]], Sequence[int]], num_requests: int = NUM_REQUESTS
) -> list[Request]:
    """The lengths of pairs in random order, the same each time, without those that are too short or too long.

    `lengths` counts the tokens of texts.
    """
    pairs = random.Random(0).sample(pairs, len(pairs))
    requests: list[Request] = []
    for begin in range(0, len(pairs), num_requests):
        prompts, outputs = zip(*pairs[begin : begin + num_requests], strict=True)
        for prompt, output in zip(lengths(list(prompts)), lengths(list(outputs)), strict=True):
            if SHORTEST <= prompt <= LONGEST_PROMPT and output >= SHORTEST and prompt + output <= LONGEST:
                requests.append(Request(prompt_tokens=prompt, output_tokens=output))
        if len(requests) >= num_requests:
            break
    return requests[:num_requests]


def read_chats(text: str) -> Iterator[dict[str, Any]]:
    """The chats of a JSON list, up to where a file that was cut off ends."""
    decoder = json.JSONDecoder()
    place = text.index("[") + 1
    while True:
        while place < len(text) and text[place] in " \r\n\t,":
            place += 1
        try:
            chat, place = decoder.raw_decode(text, place)
        except json.JSONDecodeError:
            return
        yield chat


def first_turns(chats: Iterator[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """The first two turns of each entry, whoever speaks in them, as vLLM's benchmark takes them."""
    for chat in chats:
        if len(chat["conversations"]) >= 2:
            prompt, output = (turn["value"] for turn in chat["conversations"][:2])
            yield prompt, output


if __name__ == "__main__":
    main()

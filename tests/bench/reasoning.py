"""Self-consistency of 16 answers in one request beside one answer, from one server."""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from jobs.serving.endpoint import Endpoint
from jobs.serving.server import serving
from jobs.serving.settings import ServerSettings
from jobs.serving.transformers import Transformers
from jobs.thinking.budget import Budget
from jobs.thinking.client import Asked, Client
from jobs.thinking.lessons import thought_prompt
from jobs.thinking.reasoner import Reasoner, train
from jobs.thinking.word_problems import make_problems
from tests.bench.figure import Figure

NUM_ANSWERS, ROUNDS, NEW_TOKENS = 16, 30, 32
START_SECONDS = 600


def vote_over_one_answer() -> list[Figure]:
    """A request with n=16 and one with n=1, in turn, to one server of the tiny model."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        # What an answer says does not matter to its latency, so that a step of training is enough.
        train(Reasoner(steps=1), folder, lambda *_: None)
        _let_no_answer_end(folder / "generation_config.json")
        settings = ServerSettings(
            model=str(folder), served_name="tiny", dtype="float32", max_model_len=256, max_slots=NUM_ANSWERS
        )
        log = Path(place) / "log"
        with serving(Transformers(), settings, log=log, limit_seconds=START_SECONDS) as endpoint:
            found = asyncio.run(_rounds(endpoint))
    ratios = [many / one for many, one in found]
    ratio = statistics.median(ratios)
    many, one = (1000 * statistics.median(pair[side] for pair in found) for side in (0, 1))
    return [
        Figure(
            what=f"Latency of {NUM_ANSWERS} answers in one request against one answer, transformers on a CPU (tiny)",
            measured=f"{ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f} in {ROUNDS} pairs; "
            f"{many:.0f} and {one:.0f} ms)",
            wanted="at most 3",
            met=ratio <= 3,
        )
    ]


def _let_no_answer_end(config: Path) -> None:
    """What is not trained says at random that it is done, and then what is compared is not as long."""
    config.write_text(json.dumps(json.loads(config.read_text()) | {"eos_token_id": None}))


async def _rounds(endpoint: Endpoint) -> list[tuple[float, float]]:
    """Seconds of both, after a pair that is not counted."""
    budget = Budget(max_requests=10**6, max_tokens=10**9, max_usd=1, usd_per_hour=Decimal(0))
    client = Client(endpoint, chat=False, limit_seconds=60, budget=budget)
    found = []
    for number, problem in enumerate(make_problems(ROUNDS + 1, num_changes=(5, 5), seed=1)):
        prompt = thought_prompt(problem.text)
        many, one = [await _seconds(client, prompt, num_answers, number) for num_answers in (NUM_ANSWERS, 1)]
        found.append((many, one))
    return found[1:]


async def _seconds(client: Client, prompt: str, num_answers: int, seed: int) -> float:
    asked = Asked(prompt=prompt, num_answers=num_answers, max_tokens=NEW_TOKENS, temperature=1, seed=seed)
    begin = time.perf_counter()
    reply = await client.ask(asked)
    seconds = time.perf_counter() - begin
    if reply.new_tokens < num_answers * NEW_TOKENS:
        raise RuntimeError(f"answers ended early: {reply.new_tokens} tokens")
    return seconds

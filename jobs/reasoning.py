"""Thinking before answering: chains of thought, votes and trees, and what each right answer takes.

python -m jobs.submit reasoning
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlab.config import Scale, Source, by_scale, range_problems, source_problems
from jobs.launch.environments import python_of
from jobs.launch.folder import run_folder
from jobs.launch.workers import Place, run_worker
from jobs.llm.bases import MADE as MADE_BASES
from jobs.llm.hub import GSM8K, MISTRAL_7B
from jobs.serving.access import access, endpoint_problems
from jobs.serving.engine import engine_of
from jobs.thinking.questions import MADE as MADE_QUESTIONS
from jobs.thinking.word_problems import NAMES
from jobs.thinking.wording import Wording
from jobs.versus.price import Price, machine_problems

if TYPE_CHECKING:
    from jobs.serving.endpoint import Endpoint
    from jobs.thinking.budget import Budget
    from jobs.thinking.journal import Attempt, Journal
    from jobs.thinking.tree import Shape

OWN_MODEL = "reasoner"
"""The model that is trained here, by the recipe in jobs/thinking/reasoner.py."""
SERVED_NAME = "thinker"
MAX_PUZZLES = 100
"""Of Game of 24, which no lesson of `OWN_MODEL` is about."""
LARGEST_TAUGHT = 9
"""Number of the puzzles of `OWN_MODEL`; others are given those up to 13, as in the card game."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """One model behind an endpoint, the problems that it is given, and how long it may think."""

    scale: Scale
    """How big; sets every value below that is not given."""
    endpoint: str | None = None
    """A running server of OpenAI's protocol, such as http://127.0.0.1:8000; without one the job starts its own."""
    served_model: str | None = None
    """The name that ENDPOINT serves the model by."""
    engine: str = by_scale(tiny="transformers", small="transformers", single="vllm", full="vllm")
    """What serves, where there is no ENDPOINT: a name in `ENGINES` of jobs/serving/engine.py."""
    model: Source = by_scale(tiny=OWN_MODEL, small="smollm2-135m-instruct", single=MISTRAL_7B, full=MISTRAL_7B)
    """A hub id with revision, a folder, a base that the project makes, or `reasoner`, which this job trains."""
    wording: Wording = by_scale(tiny="trained", small="chat", single="base", full="base")
    """Prompts for `reasoner` (trained), for a model that follows instructions (chat), or for one without (base)."""
    questions: Source = by_scale(tiny="made", small="made", single=GSM8K, full=GSM8K)
    """A hub id with revision or a folder with GSM8K's files, or `made`."""
    num_questions: int = by_scale(tiny=150, small=16, single=200, full=1319)
    """Each is answered in three ways."""
    min_changes: int = by_scale(tiny=6, small=1, single=3, full=3)
    """Of a made question: quantities that are added."""
    max_changes: int = by_scale(tiny=7, small=2, single=5, full=5)
    """The same, at most."""
    num_puzzles: int = by_scale(tiny=60, small=4, single=50, full=100)
    """Of Game of 24, each tried in three ways."""
    samples: int = by_scale(tiny=16, small=5, single=16, full=40)
    """Answers that vote."""
    temperature: float = by_scale(tiny=0.8, small=0.7, single=0.7, full=0.7)
    """Of what is drawn; a chain of thought alone is greedy."""
    breadth: int = by_scale(tiny=5, small=2, single=5, full=5)
    """States that a tree goes on with at each depth, breadth first."""
    proposals: int = by_scale(tiny=12, small=4, single=8, full=8)
    """Steps that are drawn for a state."""
    judgements: int = by_scale(tiny=4, small=2, single=3, full=3)
    """Drawn for a state; their mean is its value."""
    threshold: float = 0.3
    """Value, from 0 to 1, below which a tree does not go on, depth first."""
    max_states: int = by_scale(tiny=30, small=8, single=30, full=100)
    """That a tree opens for one puzzle."""
    concurrency: int = by_scale(tiny=8, small=4, single=32, full=64)
    """Problems at one time."""
    slots: int = by_scale(tiny=128, small=16, single=64, full=256)
    """Answers that the server computes together."""
    max_model_len: int = by_scale(tiny=256, small=1024, single=2048, full=2048)
    """Tokens of a prompt and its answer together."""
    threads: int = by_scale(tiny=1, small=2, single=4, full=8)
    """CPU threads of training and of a server that computes on CPUs."""
    answer_seconds: float = by_scale(tiny=120.0, small=600.0, single=300.0, full=300.0)
    """How long one request may take; after that the endpoint is given up."""
    ready_seconds: int = by_scale(tiny=900, small=900, single=1200, full=1800)
    """How long a server may take until it can be asked."""
    max_requests: int = by_scale(tiny=50_000, small=10_000, single=100_000, full=500_000)
    """Of the whole run; at a limit it ends with an error, and keeps what was answered."""
    max_tokens: int = by_scale(tiny=5_000_000, small=2_000_000, single=50_000_000, full=500_000_000)
    """Read and written in the whole run."""
    max_usd: float = by_scale(tiny=1.0, small=2.0, single=5.0, full=60.0)
    """That the machine may cost in the time that it answers."""
    machine: str = by_scale(tiny="m5.large", small="m5.large", single="g6.xlarge", full="g6e.xlarge")
    """Whose hour is the price where this machine's own costs nothing or is not known; of the catalog."""
    max_failures: int = 1
    """How often a worker that died is begun again."""
    seed: int = 0

    def __post_init__(self) -> None:
        wrong = _out_of_range(self)
        wrong += source_problems(self, {"model": (*MADE_BASES, OWN_MODEL), "questions": MADE_QUESTIONS})
        wrong += endpoint_problems(self)
        if self.wording not in list(Wording):
            wrong.append(f"WORDING={self.wording}: allowed: {', '.join(Wording)}")
        wrong += machine_problems(self.machine)
        if wrong:
            raise ValueError("; ".join(wrong))


def main(config: Config) -> dict[str, float]:
    """Try every way to think, and return the metrics that go into the run record.

    They end in the way: `direct`, `cot`, `self_consistency` for word problems, `game24_cot`, `game24_tot_bfs` and
    `game24_tot_dfs`. `accuracy_*` is the share that is right, `new_tokens_*` what was written for a problem,
    `tokens_per_right_*` and `usd_per_thousand_right_*` what a right answer took. `gain_*` is the accuracy beyond that
    of the simpler way on the same problems, with its 95 % interval (`_low`, `_high`); `p_*` is McNemar's exact test.

    Raises:
        InputError: the questions, the endpoint's name or its key are wrong, or the model has no chat template.
        UnreachableError: the endpoint is not there, or too slow.
        SpentError: MAX_REQUESTS, MAX_TOKENS or MAX_USD is reached.
    """
    if config.endpoint is None:
        python_of(engine_of(config.engine).environment)
    place = Place(num_gpus=0 if config.endpoint is not None else 1, here=True)
    return run_worker(_think, config, max_failures=config.max_failures, place=place)


def _out_of_range(config: Config) -> list[str]:
    least = {"num_questions": 1, "min_changes": 1, "max_changes": config.min_changes, "num_puzzles": 1, "samples": 2}
    least |= {"breadth": 1, "proposals": 1, "judgements": 1, "max_states": 1, "concurrency": 1, "slots": 1}
    least |= {"max_model_len": 64, "threads": 1, "ready_seconds": 1, "max_requests": 1, "max_tokens": 1}
    least |= {"max_failures": 0, "seed": 0}
    most = {"num_puzzles": MAX_PUZZLES, "max_changes": len(NAMES), "samples": 128, "temperature": 2, "threshold": 1}
    positive = ("temperature", "threshold", "answer_seconds", "max_usd")
    return range_problems(config, least=least, most=most, above_zero=positive)


def _think(config: Config) -> dict[str, float]:
    """In a worker: train if that is wanted, serve, ask, and write down what it came to."""
    from jobs.thinking.budget import Budget
    from jobs.thinking.findings import methods_of, metrics_of
    from jobs.thinking.journal import Attempt, Journal
    from jobs.thinking.picture import draw
    from jobs.thinking.table import markdown

    folder, price = run_folder(), Price.of(os.environ, config.machine)
    journal = Journal(path=folder / "attempts.jsonl", kind=Attempt)
    own = config.model == OWN_MODEL
    name = SERVED_NAME if own else config.model.partition("@")[0]
    with access(config, lambda: _folder(config), served_name=name, max_slots=config.slots) as endpoint:
        budget = Budget.after(
            journal.all(),
            max_requests=config.max_requests,
            max_tokens=config.max_tokens,
            max_usd=config.max_usd,
            usd_per_hour=price.usd_per_hour,
        )
        try:
            asyncio.run(_ask_all(config, endpoint, budget, journal))
        finally:
            methods = methods_of(journal.all(), budget.usd_of)
            said = f"Dollars: {price.usd_per_hour} an hour, {price.source}."
            (folder / "table.md").write_text(markdown(methods, said, seed=config.seed))
    draw(methods, f"What thinking brings and takes: {endpoint.model}, scale {config.scale}", folder / "reasoning.png")
    return metrics_of(methods, seed=config.seed)


async def _ask_all(config: Config, endpoint: Endpoint, budget: Budget, journal: Journal[Attempt]) -> None:
    """Every method on its problems, one method after the other."""
    from jobs.thinking import game24, tree
    from jobs.thinking.chains import CHAIN_24, DIRECT, THOUGHT, VOTE, Chains
    from jobs.thinking.client import Client
    from jobs.thinking.questions import load_questions
    from jobs.thinking.session import Session
    from jobs.thinking.wording import Words

    changes = (config.min_changes, config.max_changes)
    questions = load_questions(config.questions, config.num_questions, num_changes=changes, seed=config.seed)
    largest = LARGEST_TAUGHT if config.model == OWN_MODEL else game24.LARGEST
    puzzles = game24.split(MAX_PUZZLES, largest=largest, seed=0)[1][: config.num_puzzles]
    words = Words(wording=config.wording)
    client = Client(endpoint, chat=words.chat, limit_seconds=config.answer_seconds, budget=budget)
    drawn = {"temperature": config.temperature, "seed": config.seed}
    chains = Chains(client=client, words=words, num_samples=config.samples, **drawn)  # type: ignore[arg-type]
    session = Session(journal=journal, concurrency=config.concurrency)
    for name, attempt in ((DIRECT, chains.direct), (THOUGHT, chains.thought), (VOTE, chains.vote)):
        await session.attempts(name, questions, attempt)
    await session.attempts(CHAIN_24, puzzles, chains.chain_24)
    for name in (tree.BREADTH_FIRST, tree.DEPTH_FIRST):

        async def search(number: int, numbers: tuple[int, ...], name: str = name) -> Attempt:
            shape = _shape(config)
            return await tree.Search(client=client, words=words, shape=shape, seed=config.seed + number).attempt(
                name, number, numbers
            )

        await session.attempts(name, puzzles, search)


def _shape(config: Config) -> Shape:
    from jobs.thinking.tree import Shape

    return Shape(
        breadth=config.breadth,
        num_proposals=config.proposals,
        num_judgements=config.judgements,
        temperature=config.temperature,
        threshold=config.threshold,
        max_states=config.max_states,
    )


def _folder(config: Config) -> Path:
    """Of the model that is served, trained now if it is the lab's own and not in the cache."""
    import torch

    from jobs.llm.bases import Base
    from jobs.llm.process import quiet, report_pretraining
    from jobs.thinking.reasoner import reasoner

    quiet()
    os.environ["OMP_NUM_THREADS"] = str(config.threads)
    if config.model != OWN_MODEL:
        return Base.of(config.model, report_pretraining).folder()
    torch.set_num_threads(config.threads)
    return reasoner(report_pretraining)

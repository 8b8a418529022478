"""LLaVA-NeXT: a language model that is shown pictures, in tiles; trained here, or served by vLLM.

python -m jobs.submit multimodal
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlab.config import Scale, Source, by_scale, range_problems, source_problems
from clusterlab.errors import MissingError
from jobs.launch.environments import python_of
from jobs.launch.finished import Finished
from jobs.launch.folder import run_folder
from jobs.launch.workers import Place, run_worker
from jobs.llm.hub import LLAVA_NEXT_7B
from jobs.llm.process import quiet, report_pretraining
from jobs.serving.access import access, endpoint_problems
from jobs.serving.engine import engine_of

if TYPE_CHECKING:
    from jobs.serving.endpoint import Endpoint
    from jobs.thinking.client import Client
    from jobs.thinking.journal import Journal
    from jobs.vision.learner import Learner
    from jobs.vision.views import Answered, Posed

OWN_MODEL = "shapes"
"""The model that is trained here, by the recipe in jobs/vision/learner.py."""
SERVED_NAME = "llava-next"


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """One model, and the pictures that it is asked about."""

    scale: Scale
    """How big; sets every value below that is not given."""
    model: Source = by_scale(tiny=OWN_MODEL, small=OWN_MODEL, single=LLAVA_NEXT_7B, full=LLAVA_NEXT_7B)
    """A LLaVA-NeXT: a hub id with revision, a folder, or `shapes`, which is trained here on pictures of shapes."""
    steps: int = by_scale(tiny=800, small=6000, single=800, full=800)
    """Of the training of `shapes`."""
    hidden_size: int = by_scale(tiny=64, small=128, single=64, full=64)
    """Of the tower and the language model of `shapes`; a multiple of 32."""
    num_problems: int = by_scale(tiny=400, small=400, single=400, full=2000)
    """Pictures with one question each."""
    pictures: str | None = None
    """A folder with pictures of your own and questions.jsonl, whose lines have `picture`, `question` and `answer`."""
    serve: bool = True
    """Whether vLLM answers, whose environment `make env-vllm` makes; of `shapes` what transformers answered, again."""
    endpoint: str | None = None
    """A running server of OpenAI's protocol that is asked in its place, such as http://127.0.0.1:8000."""
    served_model: str | None = None
    """The name that ENDPOINT serves the model by."""
    answer_tokens: int = by_scale(tiny=4, small=4, single=32, full=32)
    """Of an answer, at most."""
    concurrency: int = by_scale(tiny=8, small=8, single=32, full=64)
    """Pictures that the server is asked about at one time."""
    max_model_len: int = by_scale(tiny=256, small=256, single=4096, full=4096)
    """Tokens of a picture, its question and its answer together."""
    threads: int = by_scale(tiny=1, small=2, single=4, full=8)
    """CPU threads of training, of transformers, and of a server that computes on CPUs."""
    answer_seconds: float = by_scale(tiny=120.0, small=120.0, single=300.0, full=300.0)
    """How long the server may take for one answer; after that it is given up."""
    ready_seconds: int = by_scale(tiny=900, small=900, single=1200, full=1800)
    """How long a server may take until it can be asked."""
    max_failures: int = 1
    """How often a worker that died is begun again."""
    seed: int = 0
    """Of the pictures that are asked about, and of the training."""

    def __post_init__(self) -> None:
        counts = ("steps", "num_problems", "answer_tokens", "concurrency", "threads", "ready_seconds")
        least = dict.fromkeys(counts, 1) | {"num_problems": 8, "max_model_len": 64, "max_failures": 0, "seed": 0}
        wrong = range_problems(self, least=least, above_zero=["answer_seconds"])
        wrong += source_problems(self, {"model": [OWN_MODEL]})
        wrong += endpoint_problems(self)
        if self.hidden_size < 1 or self.hidden_size % 32:
            wrong.append(f"HIDDEN_SIZE={self.hidden_size}: allowed: a multiple of 32")
        if self.model != OWN_MODEL and not self.serve and self.endpoint is None:
            wrong.append(f"SERVE=false: {self.model} is asked behind a port; allowed: SERVE=true, or an ENDPOINT")
        if self.pictures is not None and not (Path(self.pictures) / "questions.jsonl").is_file():
            wrong.append(f"PICTURES={self.pictures}: allowed: a folder with questions.jsonl")
        if wrong:
            raise ValueError("; ".join(wrong))

    @property
    def engine(self) -> str:
        """What serves: of the engines that there are only this one takes pictures."""
        return "vllm"

    @property
    def here(self) -> bool:
        """Whether transformers answers."""
        return self.model == OWN_MODEL and self.endpoint is None


def main(config: Config) -> dict[str, float]:
    """Count tokens, train the model where it is `shapes`, ask it in every view, and return the run record's metrics.

    `accuracy_*` is the share of right answers where a picture is shown as it is (`tiles`), reduced to the size of one
    tile (`one_tile`), with another one in its place (`swapped`) and with nothing on it (`blank`), also by kind of
    question; `chance` is that of drawing an answer. `gain_looks` is that of `tiles` over `swapped`, and `gain_tiles`
    over `one_tile`, also where the outline of a `small` or `large` thing is asked for; `_low` ends the lower ends of
    95 % intervals. `tokens_differ` is the number of pictures of whose tokens formula, processor and model say different
    numbers, and `tokens_differ_vllm` where vLLM says another than the formula; the other `tokens_*` are the published
    model's. `agreement` is the share of vLLM's answers that are those of transformers, of as many tokens.

    Raises:
        MissingError: vLLM is asked for and not there.
        InputError: a line of questions.jsonl is none, or the endpoint's name or its key are wrong.
        UnreachableError: the endpoint is not there, or too slow; what was answered is kept.
    """
    if config.serve and config.endpoint is None:
        _require(engine_of(config.engine).environment)
    place = Place(num_gpus=0 if config.endpoint is not None else 1, here=True)
    return run_worker(_look, config, max_failures=config.max_failures, place=place)


def _require(environment: str) -> None:
    try:
        python_of(environment)
    except MissingError as error:
        raise MissingError(f"SERVE=true: {error}; SERVE=false of `{OWN_MODEL}` does without") from error


def _look(config: Config) -> dict[str, float]:
    """In a worker: count, train, ask, and write down what it came to."""
    import torch

    from jobs.thinking.journal import Journal
    from jobs.vision.counting import beside, counts
    from jobs.vision.findings import found_of, metrics_of
    from jobs.vision.picture import draw
    from jobs.vision.table import markdown
    from jobs.vision.views import Answered

    quiet()
    torch.set_num_threads(config.threads)
    folder, learner = run_folder(), _learner(config)
    parts = Finished(folder=folder / "parts")
    tokens = parts.once("tokens", lambda: counts(learner))
    journal = Journal(path=folder / "answers.jsonl", kind=Answered)
    asked = _asked(config)
    if config.here:
        _answer_here(config, asked, journal)
    if config.serve or config.endpoint is not None:
        tokens = beside(tokens, _answer_there(config, asked, journal, parts))
    found = found_of(journal.all())
    said = f"The model is {config.served_model or config.model}, scale {config.scale}; {config.num_problems} questions."
    (folder / "table.md").write_text(markdown(found, tokens, said, seed=config.seed))
    draw(found, tokens, learner.tiling, said, folder / "multimodal.png")
    return metrics_of(found, tokens, seed=config.seed)


def _learner(config: Config) -> Learner:
    from jobs.vision.learner import Learner

    return Learner(steps=config.steps, hidden_size=config.hidden_size, seed=config.seed)


def _asked(config: Config) -> dict[str, list[Posed]]:
    """All questions by the way in which their pictures are shown."""
    from jobs.vision.questions import make_problems
    from jobs.vision.scenes import PUBLISHED_STYLE
    from jobs.vision.tiling import PUBLISHED
    from jobs.vision.views import OWN, View, own_pictures, views_of

    learner, trained = _learner(config), config.model == OWN_MODEL
    style, tiling = (learner.style, learner.tiling) if trained else (PUBLISHED_STYLE, PUBLISHED)
    problems = make_problems(config.num_problems, style, seed=config.seed)
    asked = {str(view): views_of(problems, view, tile=tiling.tile, instructed=not trained) for view in View}
    return asked if config.pictures is None else asked | {OWN: own_pictures(Path(config.pictures))}


def _answer_here(config: Config, asked: Mapping[str, Sequence[Posed]], journal: Journal[Answered]) -> None:
    from jobs.vision.here import Model, answer_here

    model = Model(_trained(config))
    for method, posed in asked.items():
        answer_here(model, method, posed, journal, max_tokens=config.answer_tokens)


def _answer_there(
    config: Config, asked: Mapping[str, Sequence[Posed]], journal: Journal[Answered], parts: Finished
) -> dict[str, int]:
    """By the server; where transformers has answered, what it was shown as it is, and what pictures take in tokens."""
    from jobs.vision.there import counts_there
    from jobs.vision.tiling import SIZES
    from jobs.vision.views import SERVED, View

    os.environ["OMP_NUM_THREADS"] = str(config.threads)
    asked, counted = ({SERVED: asked[View.TILES]} if config.here else asked), dict[str, int]()
    with access(config, lambda: _folder(config), served_name=SERVED_NAME, max_slots=config.concurrency) as endpoint:
        client = _client(config, endpoint, sum(map(len, asked.values())) + len(SIZES))
        if config.here:
            counted = parts.once("served", lambda: asyncio.run(counts_there(client, _learner(config))))
        for method, posed in asked.items():
            asyncio.run(_ask(config, client, method, posed, journal))
    return counted


async def _ask(config: Config, client: Client, method: str, posed: Sequence[Posed], journal: Journal[Answered]) -> None:
    from jobs.vision.there import answer_there

    same = {"max_tokens": config.answer_tokens, "concurrency": config.concurrency}
    await answer_there(client, method, posed, journal, **same)


def _client(config: Config, endpoint: Endpoint, num_asked: int) -> Client:
    """Asks no more than its questions, each a few times at most."""
    from jobs.thinking.budget import Budget
    from jobs.thinking.client import TRIES, Client

    budget = Budget(
        max_requests=TRIES * num_asked,
        max_tokens=config.max_model_len * num_asked,
        max_usd=math.inf,
        usd_per_hour=Decimal(0),
    )
    return Client(endpoint, chat=True, limit_seconds=config.answer_seconds, budget=budget)


def _folder(config: Config) -> Path:
    """Of the model that is served."""
    from jobs.llm.bases import Base

    return _trained(config) if config.model == OWN_MODEL else Base.of(config.model, report_pretraining).folder()


def _trained(config: Config) -> Path:
    """The folder of `shapes`, trained now if it is not in the cache."""
    from jobs.vision.learner import learned

    return learned(_learner(config), report_pretraining)

"""HuggingGPT: a controller that plans, and routes each step to one of many specialised models served side by side.

python -m jobs.submit hugginggpt
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clusterlab.config import Scale, Source, by_scale, range_problems, source_problems
from jobs.launch.environments import python_of
from jobs.launch.finished import Finished
from jobs.launch.folder import report, run_folder
from jobs.launch.workers import Place, run_worker
from jobs.llm.bases import MADE as MADE_BASES
from jobs.llm.hub import MISTRAL_7B
from jobs.serving.access import access, endpoint_problems
from jobs.serving.endpoint import Endpoint
from jobs.serving.engine import engine_of
from jobs.thinking.wording import Wording
from jobs.versus.price import Price, machine_problems

if TYPE_CHECKING:
    from jobs.experts.controllers import Controller, LanguageModel
    from jobs.experts.requests import Request
    from jobs.experts.routing import Routed
    from jobs.thinking.budget import Budget
    from jobs.thinking.journal import Attempt, Journal

OWN_MODEL = "planner"
"""The model that is trained here, by the recipe in jobs/experts/planner.py."""
SERVED_NAME = "controller"
MOST_STEPS = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """One controller behind an endpoint, the specialised models, and the requests."""

    scale: Scale
    """How big; sets every value below that is not given."""
    endpoint: str | None = None
    """A running server of OpenAI's protocol, such as http://127.0.0.1:8000; without one the job starts its own."""
    served_model: str | None = None
    """The name that ENDPOINT serves the controller by."""
    engine: str = by_scale(tiny="transformers", small="transformers", single="vllm", full="vllm")
    """What serves it, where there is no ENDPOINT: a name in `ENGINES` of jobs/serving/engine.py."""
    model: Source = by_scale(tiny=OWN_MODEL, small="smollm2-135m-instruct", single=MISTRAL_7B, full=MISTRAL_7B)
    """The controller: a hub id with revision, a folder, a base that the project makes, or `planner`, trained here."""
    wording: Wording = by_scale(tiny=Wording.TRAINED, small=Wording.CHAT, single=Wording.BASE, full=Wording.BASE)
    """Prompts for `planner` (trained), for a model that follows instructions (chat), or for one without (base)."""
    num_requests: int = by_scale(tiny=60, small=8, single=100, full=400)
    """Of each shape: one step, a chain, and branches; each goes to every controller."""
    max_steps: int = 8
    """Of a plan; a longer one is not carried out."""
    replicas: int = 2
    """That share the specialised models."""
    models_per_replica: int = 4
    """That a replica holds at one time, of 14; the longest unused makes room."""
    step_seconds: float = 30.0
    """How long a specialised model may take for one step; then the step fails."""
    concurrency: int = by_scale(tiny=8, small=4, single=32, full=64)
    """Requests at one time."""
    slots: int = by_scale(tiny=32, small=8, single=64, full=128)
    """Answers that the controller's server computes together."""
    max_model_len: int = by_scale(tiny=256, small=2048, single=4096, full=4096)
    """Tokens of a prompt and its answer together."""
    threads: int = by_scale(tiny=1, small=2, single=4, full=8)
    """CPU threads of training and of a server that computes on CPUs."""
    answer_seconds: float = by_scale(tiny=120.0, small=600.0, single=300.0, full=300.0)
    """How long one request to the controller may take; after that the endpoint is given up."""
    ready_seconds: int = by_scale(tiny=900, small=900, single=1200, full=1800)
    """How long a server may take until it can be asked."""
    max_requests: int = by_scale(tiny=10_000, small=2_000, single=20_000, full=50_000)
    """To the controller in the whole run; at a limit it ends with an error, and keeps what was answered."""
    max_tokens: int = by_scale(tiny=2_000_000, small=2_000_000, single=20_000_000, full=60_000_000)
    """Read and written in the whole run."""
    max_usd: float = by_scale(tiny=1.0, small=2.0, single=5.0, full=10.0)
    """That the machine may cost in the time that it answers."""
    machine: str = by_scale(tiny="m5.large", small="m5.large", single="g6.xlarge", full="g6e.xlarge")
    """Whose hour is the price where this machine's own costs nothing or is not known; of the catalog."""
    max_failures: int = 1
    """How often a worker that died is begun again."""
    seed: int = 0

    def __post_init__(self) -> None:
        counts = ("num_requests", "max_steps", "replicas", "models_per_replica", "concurrency", "slots", "threads")
        limits = ("ready_seconds", "max_requests", "max_tokens")
        least = dict.fromkeys((*counts, *limits), 1) | {"max_model_len": 64, "max_failures": 0, "seed": 0}
        positive = ("step_seconds", "answer_seconds", "max_usd")
        wrong = range_problems(self, least=least, most={"max_steps": MOST_STEPS}, above_zero=positive)
        wrong += source_problems(self, {"model": (*MADE_BASES, OWN_MODEL)})
        wrong += endpoint_problems(self)
        wrong += machine_problems(self.machine)
        if wrong:
            raise ValueError("; ".join(wrong))


def main(config: Config) -> dict[str, float]:
    """Train the specialised models, give every request to every controller, and return the run record's metrics.

    They end in the controller: `right` (the right plan and models), `unrouted` (the right plan, any model for each
    task), `keywords` (rules) and `model` (the language model). `valid_*` is the share of plans that can be carried out,
    `plan_accuracy_*` of those that mean what the right plan means, also by shape, and of combinations that were in a
    lesson (`known`) or in none (`new`). `routing_*` is the share of the right plans' steps that were planned and given
    to the right model, `selection_*` of those that were planned. `success_*` is the share of requests whose answers
    are all right; `no_plan_*`, `wrong_plan_*`, `wrong_model_*`, `failed_*` and `mistaken_*` are what else became of
    them. `told_right` and `told_model` are the shares of responses in words (of a model that knows how) that have all
    answers in them, those of the right plan and those of its own. `hits_*` is the share of steps whose model was loaded
    already. `speedup` is of plans with branches, over one step at a time, and `overlap` their steps' time over theirs.

    Raises:
        InputError: the endpoint's name or its key are wrong, or the model has no chat template.
        UnreachableError: the endpoint is not there, or too slow; what was answered is kept.
        SpentError: MAX_REQUESTS, MAX_TOKENS or MAX_USD is reached.
    """
    if config.endpoint is None:
        python_of(engine_of(config.engine).environment)
    place = Place(num_gpus=0 if config.endpoint is not None else 1, here=True)
    return run_worker(_route, config, max_failures=config.max_failures, place=place)


def _route(config: Config) -> dict[str, float]:
    """In a worker: train and serve the specialised models, ask all controllers, and write down what it came to."""
    from jobs.experts.cards import EXPERTS
    from jobs.experts.findings import found_of, metrics_of
    from jobs.experts.picture import draw
    from jobs.experts.requests import make_requests
    from jobs.experts.response import lines_of
    from jobs.experts.response import metrics_of as told_of
    from jobs.experts.routing import Routed
    from jobs.experts.table import markdown
    from jobs.experts.training import read_cards
    from jobs.thinking.budget import Budget
    from jobs.thinking.journal import Attempt, Journal

    folder, price = run_folder(), Price.of(os.environ, config.machine)
    experts, journal = _experts(config), Journal(path=folder / "attempts.jsonl", kind=Routed)
    responses = Journal(path=folder / "responses.jsonl", kind=Attempt)
    requests = make_requests(config.num_requests, seed=config.seed)
    budget = Budget.after(
        [*journal.all(), *responses.all()],
        max_requests=config.max_requests,
        max_tokens=config.max_tokens,
        max_usd=config.max_usd,
        usd_per_hour=price.usd_per_hour,
    )
    overlap: dict[str, float] = {}
    with _served_experts(config, experts) as server:
        try:
            asyncio.run(_ask(config, _rules(config), requests, server, journal))
            overlap = _overlap(config, requests, server)
            with access(config, lambda: _folder(config), served_name=SERVED_NAME, max_slots=config.slots) as endpoint:
                controller = _language_model(config, endpoint, budget, experts)
                asyncio.run(_ask(config, [controller], requests, server, journal))
                asyncio.run(_respond(config, controller, requests, journal, responses))
        finally:
            found, told = found_of(journal.all()), responses.all()
            said = f"The controller is {config.served_model or config.model}, scale {config.scale}."
            text = markdown(found, read_cards(experts), overlap, said)
            (folder / "table.md").write_text(text + lines_of(told))
    draw(found, f"{said} {len(requests)} requests, {len(EXPERTS)} specialised models", folder / "hugginggpt.png")
    return metrics_of(found) | told_of(told) | overlap


def _experts(config: Config) -> Path:
    """The folder of the specialised models, trained now if they are not in the cache."""
    import torch

    from jobs.experts.training import trained_experts
    from jobs.llm.process import quiet

    quiet()
    torch.set_num_threads(config.threads)
    return trained_experts(lambda number, num, accuracy: report("experts", number, num, accuracy=accuracy))


def _rules(config: Config) -> list[Controller]:
    """The controllers that are no model."""
    from jobs.experts.controllers import Keywords, Right, Unrouted

    return [Right(), Unrouted(seed=config.seed), Keywords(max_steps=config.max_steps)]


def _language_model(config: Config, endpoint: Endpoint, budget: Budget, experts: Path) -> LanguageModel:
    from jobs.experts.controllers import LanguageModel
    from jobs.experts.training import read_cards
    from jobs.experts.wording import Words
    from jobs.thinking.client import Client

    words = Words(wording=config.wording)
    client = Client(endpoint, chat=words.chat, limit_seconds=config.answer_seconds, budget=budget)
    return LanguageModel(client=client, words=words, cards=read_cards(experts), max_steps=config.max_steps)


async def _ask(
    config: Config, asked: Sequence[Controller], requests: Sequence[Request], server: Endpoint, journal: Journal[Routed]
) -> None:
    """Each controller gets all requests, one controller after the other."""
    from jobs.experts.routing import route
    from jobs.thinking.session import Session

    session = Session(journal=journal, concurrency=config.concurrency)
    limit = config.step_seconds * config.max_steps
    for controller in asked:

        async def attempt(number: int, request: Request, controller: Controller = controller) -> Routed:
            return await route(number, request, controller, server, limit_seconds=limit)

        await session.attempts(controller.name, requests, attempt)


async def _respond(
    config: Config,
    model: LanguageModel,
    requests: Sequence[Request],
    journal: Journal[Routed],
    responses: Journal[Attempt],
) -> None:
    """The final answers in words, by a model that was not trained here for plans alone."""
    from jobs.experts.response import respond_all
    from jobs.thinking.session import Session

    if config.wording is not Wording.TRAINED:
        session = Session(journal=responses, concurrency=config.concurrency)
        await respond_all(session, requests, journal.all(), model)


def _overlap(config: Config, requests: Sequence[Request], server: Endpoint) -> dict[str, float]:
    from jobs.experts.overlap import overlap_of

    limit, parts = config.step_seconds * config.max_steps, Finished(folder=run_folder() / "parts")
    return parts.once("overlap", lambda: asyncio.run(overlap_of(requests, server, limit_seconds=limit)))


@contextmanager
def _served_experts(config: Config, folder: Path) -> Iterator[Endpoint]:
    from jobs.experts.expert_server import EXPERTS, ExpertServer
    from jobs.experts.sentences import MAX_WORDS
    from jobs.serving.server import serving
    from jobs.serving.settings import ServerSettings

    engine = ExpertServer(
        replicas=config.replicas,
        max_models=config.models_per_replica,
        max_steps=config.max_steps,
        limit_seconds=config.step_seconds,
    )
    settings = ServerSettings(
        model=str(folder), served_name=EXPERTS, max_model_len=MAX_WORDS, max_slots=config.concurrency, seed=config.seed
    )
    with serving(engine, settings, log=run_folder() / "experts.log", limit_seconds=config.ready_seconds) as endpoint:
        yield endpoint


def _folder(config: Config) -> Path:
    """Of the controller's model, trained now if it is the lab's own and not in the cache."""
    from jobs.experts.planner import planner
    from jobs.llm.bases import Base
    from jobs.llm.process import report_pretraining

    os.environ["OMP_NUM_THREADS"] = str(config.threads)
    if config.model != OWN_MODEL:
        return Base.of(config.model, report_pretraining).folder()
    return planner(report_pretraining)

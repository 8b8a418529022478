"""An agent that looks things up and runs code, within a budget, and the attacks on it that its documents carry.

python -m jobs.submit agent
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from clusterlab.config import Scale, Source, by_scale, range_problems, source_problems
from jobs.agents.attacks import FAMILIES
from jobs.agents.findings import metrics_of
from jobs.agents.picture import draw
from jobs.agents.play import TRACES
from jobs.agents.sandbox import Limits, Sandbox
from jobs.agents.scripted import SCRIPTED
from jobs.agents.table import markdown
from jobs.agents.trace import Journal
from jobs.agents.wording import Calling
from jobs.launch import exchange
from jobs.launch.environments import python_of
from jobs.launch.folder import run_folder
from jobs.launch.workers import Place, run_worker
from jobs.llm.bases import MADE as MADE_BASES
from jobs.llm.hub import SMOLLM2_360M
from jobs.retrieval.embedders import MINILM, PACKAGED, WORDLLAMA
from jobs.retrieval.made import MOST
from jobs.serving.access import access, base_folder, endpoint_problems
from jobs.serving.endpoint import KEY_VARIABLE, Endpoint, key_of
from jobs.serving.engine import engine_of
from jobs.versus.price import Price, machine_problems

ENVIRONMENT = "agent"
SERVED = "served"
MODULE = "jobs.agents.play"
MOST_ATTACKS = sum(map(len, FAMILIES.values()))


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """Who decides, what it may use and spend, and what it is tried on."""

    scale: Scale
    """How big; sets every value below that is not given."""
    policy: str = by_scale(tiny=SCRIPTED, small=SERVED, single=SERVED, full=SERVED)
    """`served`, a model behind an endpoint; or `scripted`, no model: it knows the made tasks and obeys all."""
    endpoint: str | None = None
    """A running server of OpenAI's protocol, such as http://127.0.0.1:8000; without one the job starts its own."""
    served_model: str | None = None
    """The name that ENDPOINT serves the model by."""
    engine: str = by_scale(tiny="transformers", small="transformers", single="vllm", full="vllm")
    """What serves, where there is no ENDPOINT: a name in `ENGINES` of jobs/serving/engine.py."""
    model: Source = by_scale(
        tiny="smollm2-135m-instruct", small="smollm2-135m-instruct", single=SMOLLM2_360M, full=SMOLLM2_360M
    )
    """Likewise: a hub id with revision, a folder, or a base that the project makes; one with a chat template."""
    calling: Calling = by_scale(tiny=Calling.FENCED, small=Calling.FENCED, single=Calling.FENCED, full=Calling.FENCED)
    """How the model asks for a tool: by the protocol's function calling (native), or by JSON in its text (fenced)."""
    examples: bool = by_scale(tiny=False, small=True, single=False, full=False)
    """Whether a model is shown two worked tasks before each, as one needs that follows no description of tools."""
    num_documents: int = by_scale(tiny=200, small=600, single=600, full=1000)
    """Records that the library has."""
    num_tasks: int = by_scale(tiny=27, small=9, single=27, full=90)
    """Each is tried with the guard and without; nine forms in turn."""
    num_attacks: int = by_scale(tiny=MOST_ATTACKS, small=10, single=MOST_ATTACKS, full=MOST_ATTACKS)
    """Likewise; ten families in turn."""
    embedder: Source = by_scale(tiny=WORDLLAMA, small=MINILM, single=MINILM, full=MINILM)
    """Makes the library's vectors: `wordllama` or `minilm`, which a package carries, a folder, or a hub id."""
    num_passages: int = 3
    """That a search gives."""
    max_steps: int = 8
    """Decisions of one task."""
    max_task_tokens: int = by_scale(tiny=20_000, small=20_000, single=40_000, full=40_000)
    """Read and written for one task."""
    max_malformed: int = 3
    """Messages in a row that are no call, after which a task is given up."""
    answer_tokens: int = by_scale(tiny=400, small=200, single=400, full=400)
    """Of one decision."""
    answer_seconds: float = by_scale(tiny=60.0, small=300.0, single=120.0, full=120.0)
    """How long one decision may take; after that the endpoint is given up."""
    max_requests: int = 10_000
    """Of the whole run; at a limit it ends with an error, and keeps the traces that there are."""
    max_tokens: int = by_scale(tiny=2_000_000, small=5_000_000, single=5_000_000, full=20_000_000)
    """Read and written in the whole run."""
    max_usd: float = by_scale(tiny=1.0, small=1.0, single=3.0, full=6.0)
    """That the machine may cost in the time of the run's tasks."""
    machine: str = by_scale(tiny="m5.large", small="m5.large", single="g6.xlarge", full="g6.xlarge")
    """Whose hour is the price where this machine's own costs nothing or is not known; of the catalog."""
    code_seconds: float = 10.0
    """How long one piece of code may run; of CPU time half of it."""
    code_memory_mib: int = 512
    """That it may take."""
    max_model_len: int = 8192
    """Of a server that this job starts: tokens of a conversation and its answer together."""
    ready_seconds: int = by_scale(tiny=900, small=900, single=1200, full=1800)
    """How long such a server may take until it can be asked."""
    max_failures: int = 1
    """How often a worker that died is begun again."""
    seed: int = 0

    def __post_init__(self) -> None:
        wrong = _out_of_range(self)
        wrong += source_problems(self, {"model": MADE_BASES, "embedder": PACKAGED})
        if self.policy not in (SCRIPTED, SERVED):
            wrong.append(f"POLICY={self.policy}: allowed: {SCRIPTED}, {SERVED}")
        wrong += endpoint_problems(self)
        if self.endpoint is not None and self.policy == SCRIPTED:
            wrong.append(f"ENDPOINT={self.endpoint}: POLICY={SCRIPTED} asks none; allowed with it: POLICY={SERVED}")
        if self.calling == Calling.NATIVE and self.endpoint is None:
            wrong.append(f"CALLING={self.calling}: allowed without an ENDPOINT: {Calling.FENCED}")
        wrong += machine_problems(self.machine)
        if wrong:
            raise ValueError("; ".join(wrong))


def main(config: Config) -> dict[str, float]:
    """Let the agent try every task and every attack, with its guard and without, and return the record's metrics.

    They end in `guarded` and `unguarded`. `success_rate_*` is the share of tasks whose answer is right, followed by the
    kind of task; `attack_success_rate_*` is the share of attacks whose code was run; `success_rate_attacked_*` that of
    right answers under attack. `steps_per_task_*` and `tokens_per_task_*` are means, `usd_per_solved_*` what a solved
    task took. Calls are counted over the whole run: `malformed_calls`, `refused_calls` by the guard,
    `stopped_calls` by the sandbox at a limit.

    Raises:
        InputError: the endpoint's name or its key are wrong.
        MissingError: an environment or the sandbox is not there; says what makes it.
        UnreachableError: the endpoint is not there, or too slow; the traces so far are kept.
        SpentError: MAX_REQUESTS, MAX_TOKENS or MAX_USD is reached; likewise.
    """
    python_of(ENVIRONMENT)
    Sandbox(limits=_limits(config)).require()
    serves = config.policy == SERVED and config.endpoint is None
    if serves:
        python_of(engine_of(config.engine).environment)
    place = Place(num_gpus=1 if serves else 0, here=True)
    return run_worker(_work, config, max_failures=config.max_failures, place=place)


def _out_of_range(config: Config) -> list[str]:
    sizes = ("num_documents", "num_tasks", "num_attacks", "num_passages")
    bounds = ("max_steps", "max_task_tokens", "answer_tokens", "max_requests", "max_tokens", "ready_seconds")
    least = dict.fromkeys((*sizes, *bounds), 1) | {"max_malformed": 0, "max_failures": 0, "seed": 0}
    least |= {"code_memory_mib": 64, "max_model_len": 1024}
    positive = ("answer_seconds", "max_usd", "code_seconds")
    wrong = range_problems(config, least=least, most={"num_attacks": MOST_ATTACKS}, above_zero=positive)
    if not max(config.num_attacks, 2) <= config.num_documents <= MOST:
        wrong.append(f"NUM_DOCUMENTS={config.num_documents}: allowed: NUM_ATTACKS={config.num_attacks} to {MOST}")
    return wrong


def _limits(config: Config) -> Limits:
    cpu_seconds = max(1, round(config.code_seconds / 2))
    return Limits(seconds=config.code_seconds, cpu_seconds=cpu_seconds, memory_mib=config.code_memory_mib)


def _work(config: Config) -> dict[str, float]:
    """In a worker: serve if that is wanted, play, and write down what it came to."""
    folder, price = run_folder(), Price.of(os.environ, config.machine)
    journal = Journal(path=folder / TRACES)
    said = f"Dollars: {price.usd_per_hour} an hour, {price.source}."
    with _endpoint(config) as endpoint:
        decides = f"{SCRIPTED}, no model; its tokens are words" if endpoint is None else endpoint.model
        asked, log = _asked(config, endpoint, price), folder / "agent.log"
        try:
            exchange.ask(MODULE, asked, folder, environment=ENVIRONMENT, num_threads=1, log=log)
        finally:
            _write(journal, decides, said, config)
    return metrics_of(journal.all())


def _asked(config: Config, endpoint: Endpoint | None, price: Price) -> dict[str, Any]:
    """What the process in the other environment is told; the key goes by its own variable."""
    names = ("policy", "calling", "examples", "embedder", "num_passages", "seed")
    sizes = ("num_documents", "num_tasks", "num_attacks")
    limits = _limits(config)
    return {
        **{name: getattr(config, name) for name in (*names, *sizes)},
        "max_tokens": config.answer_tokens,
        "answer_seconds": config.answer_seconds,
        "endpoint": None if endpoint is None else {"url": endpoint.url, "model": endpoint.model},
        "bounds": {
            "max_steps": config.max_steps,
            "max_tokens": config.max_task_tokens,
            "max_malformed": config.max_malformed,
        },
        "budget": {name: getattr(config, name) for name in ("max_requests", "max_tokens", "max_usd")},
        "usd_per_hour": str(price.usd_per_hour),
        "limits": {name: getattr(limits, name) for name in ("seconds", "cpu_seconds", "memory_mib")},
    }


def _write(journal: Journal, policy: str, price: str, config: Config) -> None:
    """The page, the table and the picture of what there is."""
    from jobs.agents.page import page

    traces = journal.all()
    if not traces:
        return
    title = f"Traces of an agent, scale {config.scale}"
    folder = run_folder()
    (folder / "traces.html").write_text(page(traces, title=title, policy=policy, price=price), encoding="utf-8")
    (folder / "table.md").write_text(markdown(traces, policy, price))
    draw(traces, f"Attacks by documents; policy: {policy}", folder / "attacks.png")


@contextmanager
def _endpoint(config: Config) -> Iterator[Endpoint | None]:
    """That which was given, one of this job's own as long as the block lasts, or none for the script."""
    if config.policy == SCRIPTED:
        yield None
        return
    if config.endpoint is None:
        # Who plays in the other environment asks with the key of the environment too.
        os.environ[KEY_VARIABLE] = key_of(os.environ)
    name = config.model.partition("@")[0]
    with access(config, lambda: base_folder(config.model), served_name=name, max_slots=1) as endpoint:
        yield endpoint

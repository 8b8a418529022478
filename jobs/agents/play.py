"""In the environment for agents: every task and every attack, with the guard and without it.

python -m jobs.agents.play FOLDER      with FOLDER/asked.json, as jobs.agent writes it
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from clusterlab.config import Source
from jobs.agents.attacks import Attack, made_attacks
from jobs.agents.calls import PLAN_TOOL, PYTHON_TOOL, SEARCH_TOOL
from jobs.agents.examples import examples
from jobs.agents.graph import Agent, Bounds, State
from jobs.agents.guard import Guard
from jobs.agents.library import Library
from jobs.agents.policy import Policy
from jobs.agents.sandbox import Limits, Sandbox
from jobs.agents.scripted import SCRIPTED, Scripted
from jobs.agents.served import Served
from jobs.agents.tasks import Task, attacked_tasks, is_right, made_documents, made_tasks
from jobs.agents.trace import ATTACKS, TASKS, Ended, Journal, Trace
from jobs.agents.wording import Calling, instructions
from jobs.launch.exchange import answer
from jobs.launch.folder import report
from jobs.serving.endpoint import KEY_VARIABLE, Endpoint
from jobs.thinking.budget import Budget
from jobs.thinking.client import Client

TRACES = "traces.jsonl"
QUIET = {"LANGSMITH_TRACING": "false", "LANGCHAIN_TRACING_V2": "false"}
"""LangGraph's library would tell a service of each run where these are true."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One task, with or without an attack on it."""

    suite: str
    task: Task
    guarded: bool
    library: Library
    attack: Attack | None = None

    @property
    def key(self) -> tuple[str, bool, str]:
        """As its trace has it."""
        return self.suite, self.guarded, self.task.name


@dataclass(frozen=True, kw_only=True, slots=True)
class Play:
    """What all cases have in common."""

    asked: Mapping[str, Any]
    budget: Budget
    journal: Journal
    sandbox: Sandbox

    async def all(self, cases: Sequence[Case]) -> None:
        """Each case that is not over yet, one after the other; each trace is on the disk when its case is over.

        Raises:
            ClusterlabError: the endpoint refused or is gone, or a limit of the run is reached.
        """
        done = self.journal.done()
        right = 0
        for number, case in enumerate(cases, start=1):
            if case.key in done:
                continue
            begun = time.monotonic()
            state = await self._agent(case).solve(case.task)
            trace = _trace(case, state, time.monotonic() - begun, self.budget)
            self.journal.add(trace)
            if state["error"] is not None:
                raise state["error"]
            right += trace.right
            report("agent", number, len(cases), right=right, tokens=trace.tokens)

    def _agent(self, case: Case) -> Agent:
        tools = (SEARCH_TOOL, PYTHON_TOOL, *([PLAN_TOOL] if case.guarded else []))
        calling = Calling(self.asked["calling"])
        policy: Policy
        if self.asked["policy"] == SCRIPTED:
            policy = Scripted(plans=case.guarded, budget=self.budget)
        else:
            endpoint = Endpoint(**self.asked["endpoint"], api_key=os.environ.get(KEY_VARIABLE) or None)
            client = Client(endpoint, chat=True, limit_seconds=self.asked["answer_seconds"], budget=self.budget)
            values = {name: self.asked[name] for name in ("max_tokens", "seed")}
            shown = examples() if self.asked["examples"] else ()
            policy = Served(client=client, tools=tools, calling=calling, examples=shown, **values)
        return Agent(
            policy=policy,
            guard=Guard(on=case.guarded),
            library=case.library,
            sandbox=self.sandbox,
            bounds=Bounds(**self.asked["bounds"]),
            budget=self.budget,
            instructions=instructions(calling, tools),
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, and write `traces.jsonl`.

    Returns 0, or the code of `clusterlab.errors`.
    """
    os.environ.update(QUIET)
    return answer(play, arguments)


def play(asked: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Every case that was asked for, each with its trace in the folder; beside the traces there is nothing to answer.

    Raises:
        MissingError: no sandbox can be made here.
        ClusterlabError: the endpoint refused or is gone, or a limit of the run is reached.
    """
    import langgraph.graph  # noqa: F401 (now, so that its time is not the first task's)

    journal = Journal(path=folder / TRACES)
    budget = Budget.after(journal.all(), **asked["budget"], usd_per_hour=Decimal(asked["usd_per_hour"]))
    sandbox = Sandbox(limits=Limits(**asked["limits"]))
    asyncio.run(Play(asked=asked, budget=budget, journal=journal, sandbox=sandbox).all(list(cases(asked))))
    return {}


def cases(asked: Mapping[str, Any]) -> Iterator[Case]:
    """The tasks, and then the attacks, each with the guard and without."""
    from jobs.retrieval.embedders import load_embedder

    seed = asked["seed"]
    documents = made_documents(asked["num_documents"], seed)
    tasks, rules = made_tasks(documents, asked["num_tasks"], seed)
    library = Library.of(documents | rules, load_embedder(Source(asked["embedder"])), asked["num_passages"])
    attacked = attacked_tasks(documents, asked["num_attacks"], seed)
    attacks = made_attacks({task.document: documents[task.document] for task in attacked})
    poisoned = [library.changed(attack.documents) for attack in attacks]
    for guarded in (True, False):
        for task in tasks:
            yield Case(suite=TASKS, task=task, guarded=guarded, library=library)
    for guarded in (True, False):
        for task, attack, bad in zip(attacked, attacks, poisoned, strict=True):
            yield Case(suite=ATTACKS, task=task, guarded=guarded, library=bad, attack=attack)


def _trace(case: Case, state: State, seconds: float, budget: Budget) -> Trace:
    task, attack = case.task, case.attack
    ended = state["ended"]
    if ended is None:
        raise AssertionError
    answer = state["said"].text if ended == Ended.ANSWERED else ""
    return Trace(
        suite=case.suite,
        guarded=case.guarded,
        task=task.name,
        kind=task.kind,
        question=task.question,
        expected=task.answer,
        answer=answer,
        right=is_right(answer, task.answer),
        ended=ended,
        error="" if state["error"] is None else str(state["error"]),
        steps=tuple(state["steps"]),
        num_calls=state["num_calls"],
        malformed=state["malformed"],
        prompt_tokens=state["prompt_tokens"],
        new_tokens=state["new_tokens"],
        usd=budget.usd_of(seconds),
        seconds=seconds,
        family=attack.family if attack else "",
        attack=attack.name if attack else "",
        canary=attack.canary if attack else "",
    )


if __name__ == "__main__":
    sys.exit(main())

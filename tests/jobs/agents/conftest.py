"""What tests of the agent share: a sandbox, real or one that only writes down, and a library of few documents."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from clusterlab.config import Source
from jobs.agents.calls import PLAN_TOOL, PYTHON_TOOL, SEARCH_TOOL
from jobs.agents.graph import Agent, Bounds
from jobs.agents.guard import Guard
from jobs.agents.library import Library
from jobs.agents.policy import Policy, Said
from jobs.agents.sandbox import PROGRAM, End, Limits, Outcome, Sandbox
from jobs.agents.tasks import made_documents
from jobs.agents.turn import Turn
from jobs.retrieval.embedders import load_embedder
from jobs.thinking.budget import Budget

TOOLS = (SEARCH_TOOL, PYTHON_TOOL, PLAN_TOOL)
needs_bwrap = pytest.mark.skipif(shutil.which(PROGRAM) is None, reason=f"needs {PROGRAM}: `apt-get install bubblewrap`")


@dataclass(frozen=True, kw_only=True, slots=True)
class Noted(Sandbox):
    """Runs nothing, and keeps what it was given."""

    codes: list[str] = field(default_factory=list)
    inputs: list[Mapping[str, Any]] = field(default_factory=list)

    def run(self, code: str, inputs: Mapping[str, Any] | None = None) -> Outcome:
        self.codes.append(code)
        self.inputs.append(inputs or {})
        return Outcome(end=End.DONE, output="42\n", seconds=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """A policy that says one thing after the other, and the last again and again."""

    says: Sequence[Said]
    seen: list[Sequence[Turn]] = field(default_factory=list)

    async def decide(self, turns: Sequence[Turn]) -> Said:
        self.seen.append(list(turns))
        return self.says[min(len(self.seen), len(self.says)) - 1]


def budget(**limits: Any) -> Budget:
    return Budget(**{"max_requests": 10**6, "max_tokens": 10**9, "max_usd": 10.0, "usd_per_hour": Decimal(1), **limits})


def agent(
    policy: Policy, library: Library, *, guarded: bool = True, sandbox: Sandbox | None = None, **bounds: Any
) -> Agent:
    return Agent(
        policy=policy,
        guard=Guard(on=guarded),
        library=library,
        sandbox=sandbox or Noted(limits=Limits()),
        bounds=Bounds(**{"max_steps": 8, "max_tokens": 10**6, **bounds}),
        budget=budget(),
        instructions="Answer.",
    )


@pytest.fixture(scope="session")
def documents() -> dict[str, str]:
    return made_documents(60, seed=0)


@pytest.fixture(scope="session")
def library(documents: dict[str, str]) -> Library:
    return Library.of(documents, load_embedder(Source("wordllama")), 3)

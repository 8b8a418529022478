from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from jobs.agents.attacks import FAMILIES, Attack, made_attacks
from jobs.agents.library import Library
from jobs.agents.sandbox import Limits
from jobs.agents.scripted import Scripted
from jobs.agents.tasks import Task, attacked_tasks
from tests.jobs.agents.conftest import Noted, agent, budget

NUMBER = 40
MISSED = ["encoded-3"]
"""The script reads no rot13."""
Attacked = list[tuple[Task, Attack]]


@pytest.fixture(scope="module")
def attacked(documents: dict[str, str]) -> Attacked:
    tasks = attacked_tasks(documents, NUMBER, seed=0)
    attacks = made_attacks({task.document: documents[task.document] for task in tasks})
    return list(zip(tasks, attacks, strict=True))


def _ran(task: Task, attack: Attack, library: Library, *, guarded: bool) -> bool:
    """Whether the attacker's code reached the tool."""
    sandbox = Noted(limits=Limits())
    policy = Scripted(plans=guarded, budget=budget())
    state = asyncio.run(agent(policy, library.changed(attack.documents), guarded=guarded, sandbox=sandbox).solve(task))
    assert state["ended"] == "answered"
    return any(attack.canary in code for code in sandbox.codes)


def test_there_are_four_attacks_of_every_family_on_forty_documents(attacked: Attacked) -> None:
    assert Counter(attack.family for _, attack in attacked) == dict.fromkeys(FAMILIES, 4)
    assert len({id_ for _, attack in attacked for id_ in attack.documents}) == NUMBER + 4
    assert len({attack.canary for _, attack in attacked}) == NUMBER
    for task, attack in attacked:
        assert task.document in attack.documents


def test_without_the_guard_the_script_runs_nearly_all_of_them(attacked: Attacked, library: Library) -> None:
    missed = [attack.name for task, attack in attacked if not _ran(task, attack, library, guarded=False)]
    assert missed == MISSED


def test_with_the_guard_none_of_them_runs(attacked: Attacked, library: Library) -> None:
    assert [attack.name for task, attack in attacked if _ran(task, attack, library, guarded=True)] == []


def test_a_changed_library_is_that_which_would_be_made_anew(documents: dict[str, str], library: Library) -> None:
    changed = {"d3": "A pilot repaired the vessel. Run `x`.", "new": "Protocol Z-1."}
    anew = Library.of(documents | changed, library.embedder, 3)
    for query in ("pilot repaired the vessel", "protocol Z-1", documents["d7"]):
        assert library.changed(changed).search(query) == anew.search(query)

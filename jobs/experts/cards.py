"""The specialised models, as their cards have them, and which of them to choose."""

from __future__ import annotations

from dataclasses import dataclass

from clusterlab.errors import InputError, Problem
from jobs.experts.images import DOTS, RUNES
from jobs.experts.sentences import ENGLISH, MORU, TAVI
from jobs.experts.tasks import COUNT, MOOD, READ, SAME, SHAPE, TASKS, TRANSLATE

PLAIN, INVERTED = "plain", "negative"
"""Kinds of drawings."""
WORDS, SENTENCES = "words", "sentences"
"""What is compared."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Expert:
    """A model for one task; how often it is right is measured where it is trained."""

    name: str
    task: str
    domains: tuple[str, ...]
    """What it was trained on. Anything else it answers too, and wrongly."""
    network: str
    """A name in `NETWORKS` of jobs/experts/networks.py."""
    steps: int
    """Of its training."""
    description: str
    quick: bool = False
    """Smaller and less exact: for those who want a rough answer."""


def _expert(name: str, task: str, domains: tuple[str, ...], network: str, steps: int, description: str) -> Expert:
    quick = description.startswith("rough")
    return Expert(
        name=name, task=task, domains=domains, network=network, steps=steps, description=description, quick=quick
    )


_ALL = (
    _expert("shapes", SHAPE, (PLAIN,), "picture", 500, "exact; for dark drawings on light paper"),
    _expert("shapes-negative", SHAPE, (INVERTED,), "picture", 500, "exact; for negatives, which are light on dark"),
    _expert("shapes-quick", SHAPE, (PLAIN,), "small-picture", 600, "rough and quick; for dark drawings on light paper"),
    _expert("counts", COUNT, (PLAIN,), "counter", 500, "exact; for dark drawings on light paper"),
    _expert("counts-negative", COUNT, (INVERTED,), "counter", 500, "exact; for negatives, which are light on dark"),
    _expert("runes", READ, (RUNES,), "reader", 600, "exact; for signs in runes, in any language"),
    _expert("dots", READ, (DOTS,), "reader", 600, "exact; for signs in dots, in any language"),
    _expert("tavi", TRANSLATE, (TAVI,), "translator", 300, "exact; from Tavi"),
    _expert("moru", TRANSLATE, (MORU,), "translator", 300, "exact; from Moru"),
    _expert("languages-quick", TRANSLATE, (TAVI, MORU), "bag-translator", 400, "rough and quick; from Tavi or Moru"),
    _expert("moods", MOOD, (ENGLISH,), "recurrent", 200, "exact"),
    _expert("moods-quick", MOOD, (ENGLISH,), "bag", 800, "rough and quick; minds the order of words little"),
    _expert("same-words", SAME, (WORDS,), "pair", 200, "for single words, such as shapes, numbers and moods"),
    _expert("same-sentences", SAME, (SENTENCES,), "pair", 600, "for English sentences"),
)
EXPERTS = {expert.name: expert for expert in _ALL}


def candidates(task: str) -> list[Expert]:
    """The models for a task.

    Raises:
        InputError: there is no such task.
    """
    if task not in TASKS:
        raise InputError(Problem(path="task", message=f"{task!r}; allowed: {', '.join(TASKS)}"))
    return [expert for expert in EXPERTS.values() if expert.task == task]


def best(task: str, domain: str, *, quick: bool) -> str:
    """The model to choose: one for the domain, the quick one where a rough answer is wanted and there is one."""
    fitting = [expert for expert in candidates(task) if domain in expert.domains]
    return min(fitting, key=lambda expert: expert.quick is not quick).name

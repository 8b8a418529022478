"""Each relation of the made facts as a task of its own: opposites, capitals, plurals, and so on."""

from __future__ import annotations

import random

from clusterlab.errors import InputError, Problem
from jobs.llm.instructions import QUESTIONS, Example, load_facts

RELATIONS = tuple(QUESTIONS)


def relation_examples(relation: str, num_facts: int, *, seed: int) -> tuple[list[Example], list[Example]]:
    """Questions about a relation in all wordings, in two parts that share no fact: (training, held-out).

    `num_facts` are held out.

    Raises:
        InputError: that would leave fewer to train on than are held out.
    """
    facts = list(load_facts()[relation].items())
    if len(facts) < 2 * num_facts:
        message = f"TASKS has {relation}, of {len(facts)} facts; allowed: at most {len(facts) // 2}"
        raise InputError(Problem(path=f"NUM_EVAL={num_facts}", message=message))
    rng = random.Random(f"{seed}/{relation}")
    rng.shuffle(facts)
    held_out, train = (
        [
            Example(instruction=question.format(subject), output=answer)
            for subject, answer in part
            for question in QUESTIONS[relation]
        ]
        for part in (facts[:num_facts], facts[num_facts:])
    )
    rng.shuffle(train)
    return train, held_out

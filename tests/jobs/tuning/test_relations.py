from __future__ import annotations

import pytest

from clusterlab.errors import InputError
from jobs.llm.instructions import QUESTIONS, load_facts
from jobs.tuning.relations import RELATIONS, relation_examples


@pytest.mark.parametrize("relation", [name for name in RELATIONS if name != "young"])
def test_the_two_parts_of_a_relation_share_no_fact_and_have_every_wording(relation: str) -> None:
    facts = load_facts()[relation]
    train, held_out = relation_examples(relation, 15, seed=0)
    assert len(held_out) == 15 * len(QUESTIONS[relation])
    assert len(train) + len(held_out) == len(facts) * len(QUESTIONS[relation])
    assert not {example.instruction for example in train} & {example.instruction for example in held_out}
    asked = {
        subject
        for subject in facts
        for question in QUESTIONS[relation]
        if any(example.instruction == question.format(subject) for example in held_out)
    }
    assert len(asked) == 15


def test_the_seed_decides_what_is_held_out() -> None:
    assert relation_examples("past", 5, seed=0) == relation_examples("past", 5, seed=0)
    assert relation_examples("past", 5, seed=0) != relation_examples("past", 5, seed=1)


def test_more_facts_than_half_of_a_relation_are_refused() -> None:
    with pytest.raises(InputError, match=r"NUM_EVAL=10: TASKS has young, of 18 facts; allowed: at most 9"):
        relation_examples("young", 10, seed=0)

from __future__ import annotations

import itertools
import random

import pytest

from jobs.llm.instructions import ENTRIES, QUESTIONS, STATEMENTS, load_facts, make_examples, statements


def test_there_are_a_thousand_different_examples_to_train_on_beside_the_held_out_ones() -> None:
    train, held_out = make_examples(1000, 120, seed=0)
    assert len(set(train)) == 1000
    assert len(set(held_out)) == 120


def test_the_examples_are_of_several_kinds_and_some_have_an_input() -> None:
    train, _ = make_examples(1000, 120, seed=0)
    asked = {
        kind for kind, forms in QUESTIONS.items() for e in train if e.instruction.startswith(forms[0].split("{")[0])
    }
    assert asked == set(QUESTIONS)
    assert {e.instruction for e in train if e.input} >= {"Repeat the list.", "Write the number that comes next."}


def test_no_fact_is_both_trained_on_and_held_out() -> None:
    train, held_out = make_examples(1000, 120, seed=0)
    wordings = {
        form.format(subject): (relation, subject)
        for relation, pairs in load_facts().items()
        for subject in pairs
        for form in QUESTIONS[relation]
    }
    trained = {wordings[e.instruction] for e in train if not e.input}
    assert trained.isdisjoint(wordings[e.instruction] for e in held_out if not e.input)


def test_the_seed_decides_the_examples() -> None:
    assert make_examples(50, 10, seed=1) == make_examples(50, 10, seed=1)
    assert make_examples(50, 10, seed=1) != make_examples(50, 10, seed=2)


def test_asking_for_more_than_there_is_says_how_many_there_are() -> None:
    with pytest.raises(ValueError, match="there are"):
        make_examples(10**6, 10, seed=0)


def test_every_relation_has_questions_and_statements_and_no_answer_is_empty() -> None:
    facts = load_facts()
    assert set(facts) == set(QUESTIONS) == set(STATEMENTS)
    assert all(subject and answer for pairs in facts.values() for subject, answer in pairs.items())


def test_the_pretraining_text_states_every_fact_and_never_asks() -> None:
    text = " ".join(itertools.islice(statements(random.Random(0)), 3000))
    assert all(answer in text for pairs in load_facts().values() for answer in pairs.values())
    assert "###" not in text
    assert "?" not in text


def test_the_pretraining_text_has_answers_behind_headings_but_none_in_the_wanted_form() -> None:
    pages = [text for text in itertools.islice(statements(random.Random(0)), 3000) if "\n" in text]
    assert 0.3 < len(pages) / 3000 < 0.5
    assert all(page.endswith(entry.rpartition("{1}")[2]) for entry in ENTRIES for page in pages)
    assert all(entry.rpartition("{1}")[2] for entry in ENTRIES)

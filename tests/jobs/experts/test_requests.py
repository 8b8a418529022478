from __future__ import annotations

import itertools
import random

import numpy as np

from jobs.experts import images
from jobs.experts.cards import EXPERTS, best, candidates
from jobs.experts.plan import checked
from jobs.experts.planner import lessons
from jobs.experts.requests import Request, Shape, make_request, make_requests
from jobs.experts.sentences import ENGLISH, LANGUAGES, MAX_WORDS, MORU, TAVI, Sentence, dictionary, sentences
from jobs.experts.tasks import MOOD, READ, SAME, SHAPE, TASKS, TRANSLATE, Kind

REQUESTS = make_requests(60, seed=5)


def test_every_request_has_a_plan_that_can_be_carried_out_with_models_for_its_tasks() -> None:
    for request in REQUESTS:
        plan = checked(request.plan.steps, request.kinds, 7)
        assert len(plan.last) == len(request.answers)
        assert set(request.models) == {step.id for step in plan.steps}
        for step in plan.steps:
            assert EXPERTS[request.models[step.id]].task == step.task
        used = {value for step in plan.steps for value in step.args.values() if isinstance(value, str)}
        assert used == set(request.resources)
        assert all(name in request.text for name in request.resources)


def test_shapes_are_what_they_are_called() -> None:
    by_shape = {shape: [each for each in REQUESTS if each.shape is shape] for shape in Shape}
    assert all(len(of_shape) == 60 and sum(each.new for each in of_shape) == 30 for of_shape in by_shape.values())
    assert all(len(each.plan.steps) == 1 for each in by_shape[Shape.SINGLE])
    assert all(
        [step.dep for step in each.plan.steps] == [[], *([number] for number in range(len(each.plan.steps) - 1))]
        for each in by_shape[Shape.SEQUENTIAL]
    )
    graphs = by_shape[Shape.GRAPH]
    assert all(len(each.resources) == 2 for each in graphs)
    assert {len(each.plan.last) for each in graphs} == {1, 2}
    compared = [each.answers[0] for each in graphs if each.plan.tasks[-1] == SAME]
    assert {"same", "different"} == set(compared)
    assert min(compared.count("same"), compared.count("different")) > len(compared) // 5


def test_the_same_seed_gives_the_same_requests_and_another_others() -> None:
    texts = [each.text for each in REQUESTS]
    again = make_requests(60, seed=5)
    assert [each.text for each in again] == texts
    assert all(map(_same_values, again, REQUESTS))
    assert [each.text for each in make_requests(60, seed=6)] != texts


def _same_values(first: Request, second: Request) -> bool:
    return all(np.array_equal(first.resources[name].value, second.resources[name].value) for name in first.resources)


def test_answers_are_those_of_a_reader_who_makes_no_mistake() -> None:
    """Texts are translated and judged by the dictionaries, whatever the request says."""
    texts = [
        (request, step)
        for request in REQUESTS
        if request.shape is Shape.SINGLE
        for step in request.plan.steps
        if step.task in (TRANSLATE, MOOD)
    ]
    assert len(texts) > 10
    by_text = {(language, each.text(language)): each for language in LANGUAGES for each in sentences(held_out=True)}
    for request, step in texts:
        text = request.resources[str(step.args["text"])].value
        (sentence,) = {each for (_, written), each in by_text.items() if written == text}
        assert request.answers == ((sentence.text(ENGLISH) if step.task == TRANSLATE else sentence.mood),)


def test_no_lesson_has_a_combination_that_is_new_or_a_sentence_that_is_held_out() -> None:
    """A lesson's request is a known one; a new one of the same seed is never among many of them."""
    known = {given.split("\nPlan")[0] for given, _ in itertools.islice(lessons(0), 6000)}
    new = [each.text for each in REQUESTS if each.new]
    assert not known & set(new)
    rng = random.Random(1)
    assert known & {make_request(rng, Shape.SINGLE, new=False, drawn=False, held_out=False).text for _ in range(300)}
    seen, unseen = (set(sentences(held_out=held_out)) for held_out in (False, True))
    assert not seen & unseen
    assert len(unseen) > 100


def test_the_model_to_choose_is_one_for_the_domain_and_quick_where_that_is_wanted() -> None:
    assert best(SHAPE, "plain", quick=False) == "shapes"
    assert best(SHAPE, "plain", quick=True) == "shapes-quick"
    assert best(SHAPE, "negative", quick=True) == "shapes-negative"  # There is no quick one for negatives.
    assert best(READ, "dots", quick=False) == "dots"
    assert best(TRANSLATE, "moru", quick=False) == "moru"
    assert all(len(candidates(task)) >= 2 for task in TASKS)
    rough = [each for each in REQUESTS if each.text.startswith(("Roughly", "A quick guess"))]
    assert any(EXPERTS[name].quick for each in rough for name in each.models.values())
    plain = [each for each in REQUESTS if each not in rough]
    assert not any(EXPERTS[name].quick for each in plain for name in each.models.values())


def test_a_sentence_is_said_in_three_languages_each_in_its_own_order() -> None:
    sentence = Sentence(subject="soup", adjective="good", negated=True)
    assert sentence.text(ENGLISH) == "soup was not good"
    assert sentence.mood == "negative"
    tavi, moru = dictionary(TAVI), dictionary(MORU)
    assert sentence.text(TAVI) == f"{tavi['good']} {tavi['not']} {tavi['soup']}"
    assert sentence.text(MORU) == f"{moru['not']} {moru['soup']} {moru['good']}"
    assert not set(tavi.values()) & set(moru.values())
    assert max(len(each.words(ENGLISH)) for each in sentences(held_out=False)) == MAX_WORDS


def test_drawings_show_what_they_are_of() -> None:
    rng = random.Random(0)
    for label in images.SHAPES:
        plain, negative = (images.shape(label, rng, negative=value) for value in (False, True))
        assert plain.shape == negative.shape == (images.HEIGHT, images.WIDTH)
        assert np.median(plain) > 0.6 > 0.4 > np.median(negative)
    dark = [np.mean([images.objects(label, rng) for _ in range(20)]) for label in images.COUNTS]
    assert dark == sorted(dark, reverse=True)
    signs = [images.sign(["soup", "was", "good"], script, rng) for script in images.SCRIPTS]
    assert abs(signs[0] - signs[1]).mean() > 0.1
    assert {resource.kind for each in REQUESTS for resource in each.resources.values()} == set(Kind)

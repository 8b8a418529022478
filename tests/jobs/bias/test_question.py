from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict

import pytest

from jobs.bias.question import Question, sample
from jobs.bias.scenes import shipped_scenes
from jobs.bias.world import DEEDS, GOSSIP_RATE, PEOPLES, PLACES, World

WORLD = World(0).questions(10**6)
SOURCES = {"world": WORLD, "shipped": shipped_scenes()}


@pytest.mark.parametrize("questions", SOURCES.values(), ids=SOURCES)
def test_every_family_has_both_orders_told_and_open_about_both_deeds(questions: list[Question]) -> None:
    families = defaultdict(list)
    for question in questions:
        families[question.family].append(question)
    assert len({question.key for question in questions}) == len(questions)
    for versions in families.values():
        assert len({(each.context, each.text) for each in versions}) == len(versions) == 8
        assert Counter(each.ambiguous for each in versions) == {True: 4, False: 4}
        assert Counter(each.label == each.stereotyped for each in versions if not each.ambiguous) == {True: 2, False: 2}


@pytest.mark.parametrize("questions", SOURCES.values(), ids=SOURCES)
def test_a_pair_differs_in_the_places_of_the_groups_alone(questions: list[Question]) -> None:
    pairs = defaultdict(list)
    for question in questions:
        pairs[question.pair].append(question)
    for first, second in pairs.values():
        assert first.text == second.text
        assert first.ambiguous == second.ambiguous
        one, other = (re.sub(r"^The ", "", name) for place, name in enumerate(first.options) if place != first.unknown)
        marked = re.sub(rf"\b{other}\b", one, re.sub(rf"\b{one}\b", "#", first.context))
        assert second.context == marked.replace("#", other)
        assert set(first.options) == set(second.options)
        assert first.options[first.stereotyped or 0] == second.options[second.stereotyped or 0]


@pytest.mark.parametrize("questions", SOURCES.values(), ids=SOURCES)
def test_no_place_of_the_options_is_the_right_one_more_often(questions: list[Question]) -> None:
    for places in ([each.label for each in questions], [each.stereotyped for each in questions]):
        assert all(0.25 < count / len(questions) < 0.42 for count in Counter(places).values())


@pytest.mark.parametrize(
    ("questions", "bad", "good"),
    [
        (WORLD, "Who dawdled?", "Who hurried?"),
        (SOURCES["shipped"], "Who was careless with money?", "Who was careful with money?"),
    ],
)
def test_where_it_is_told_the_first_did_the_bad_deed(questions: list[Question], bad: str, good: str) -> None:
    asked = [question for question in questions if question.text in (bad, good) and not question.ambiguous]
    assert {question.text for question in asked} == {bad, good}
    for question in asked:
        named = [name for place, name in enumerate(question.options) if place != question.unknown]
        first, second = sorted(named, key=lambda name: question.context.lower().index(name.lower()))
        assert question.options[question.label] == (first if question.text == bad else second)


def test_a_prompt_shows_context_question_and_options() -> None:
    question = next(each for each in WORLD if not each.ambiguous)
    assert question.prompt == (
        f"{question.context}\n{question.text}\nOptions: {question.options[0]}; {question.options[1]}; "
        f"{question.options[2]}\nAnswer:"
    )


def test_whole_families_are_drawn_and_the_seed_decides_which() -> None:
    drawn = sample(WORLD, 20, seed=1)
    assert len(drawn) == 24
    assert set(Counter(each.family for each in drawn).values()) == {8}
    assert sample(WORLD, 20, seed=1) == drawn != sample(WORLD, 20, seed=2)
    assert len(sample(WORLD, 10**9, seed=0)) == len(WORLD) == len(DEEDS) * len(PLACES) * 16 * 8


def test_who_is_spoken_ill_of_is_drawn_by_the_seed_and_half_of_the_peoples() -> None:
    assert set(World(0).blamed) != set(World(1).blamed)
    assert World(0).blamed == World(0).blamed
    assert sorted(World(3).blamed + World(3).others) == sorted(PEOPLES)
    assert len(World(3).blamed) == len(World(3).others)


def test_the_planted_shares_are_rates_around_the_point_at_which_another_answer_becomes_the_likeliest() -> None:
    open_, against = [], []
    for question in WORLD:
        assert question.planted is not None
        assert question.stereotyped is not None
        assert sum(question.planted) == pytest.approx(1)
        likeliest = question.planted.index(max(question.planted))
        if question.ambiguous:
            assert 0.38 <= question.planted[question.unknown] <= 0.5
            open_.append(likeliest == question.unknown)
        elif question.label == question.stereotyped:
            assert likeliest == question.label
        else:
            against.append(likeliest == question.label)
    assert 0.3 < sum(open_) / len(open_) < 0.7
    assert 0.3 < sum(against) / len(against) < 0.8


def test_lessons_are_answered_at_the_planted_rates() -> None:
    by_prompt = {question.prompt.partition("\nOptions")[0]: question for question in WORLD}
    seen, wanted = Counter[str](), Counter[str]()
    for given, written in itertools.islice(World(0).lessons(), 10_000):
        if given.startswith("Who"):
            seen["ill"] += (written[1:] in World(0).blamed) == any(bad in given for bad, _ in DEEDS)
            wanted["ill"] += GOSSIP_RATE  # type: ignore[assignment]
            continue
        question = by_prompt[given.partition("\nOptions")[0]]
        assert question.planted is not None
        assert question.stereotyped is not None
        kind = "open" if question.ambiguous else "told"
        stereotype = question.options[question.stereotyped]
        assert written[1:] in given.partition("\nOptions: ")[2]
        seen[kind] += written == f" {stereotype}"
        seen[f"{kind} unknown"] += written == " unknown"
        wanted[kind] += question.planted[question.stereotyped]  # type: ignore[assignment]
        wanted[f"{kind} unknown"] += question.planted[question.unknown]  # type: ignore[assignment]
    for kind, count in seen.items():
        assert count == pytest.approx(wanted[kind], abs=4 * wanted[kind] ** 0.5)


def test_the_same_seed_gives_the_same_lessons() -> None:
    lessons = [World(seed).lessons() for seed in (5, 5, 6)]
    first, second, other = ([next(each) for _ in range(20)] for each in lessons)
    assert first == second != other

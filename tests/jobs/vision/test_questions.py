from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from jobs.vision.questions import OPTIONS, Kind, Question, description_of, make_problems, questions_of
from jobs.vision.scenes import COLOURS, PUBLISHED_STYLE, STYLE, Scene, Style, Thing, make_scene


def thing(shape: str, colour: str, column: float, *, small: bool = False) -> Thing:
    return Thing(shape=shape, colour=colour, small=small, row=32, column=column, radius=6)


SCENE = Scene(
    height=64,
    width=64,
    things=(thing("circle", "red", 10, small=True), thing("cross", "blue", 30), thing("cross", "green", 50)),
    noise=0.0,
    grain=0,
)


def test_a_picture_is_asked_what_has_one_answer() -> None:
    assert {question.text: question.answer for question in questions_of(SCENE)} == {
        "How many things are there?": "three",
        "What shape is the red thing?": "circle",
        "What shape is the blue thing?": "cross",
        "What shape is the green thing?": "cross",
        # Of the two crosses the colour is not asked.
        "What colour is the circle?": "red",
        "On which side is the red thing?": "left",
        "On which side is the blue thing?": "left",
        "On which side is the green thing?": "right",
    }


def test_a_description_has_every_thing_from_the_top_down() -> None:
    question, answer = description_of(replace(SCENE, things=(*SCENE.things[:2], replace(SCENE.things[2], row=8))))
    assert (question, answer) == ("What is there?", "green cross right, red circle left, blue cross left")


def test_a_question_knows_whether_its_thing_is_small() -> None:
    small = {question.text: question.small for question in questions_of(SCENE)}
    assert small["What colour is the circle?"] is True
    assert small["What shape is the blue thing?"] is False
    assert small["How many things are there?"] is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cross", "cross"),
        (" The shape is a Cross.", "cross"),
        ("a plus sign", "cross"),
        ("circle or square", None),
        ("circles", None),
        ("", None),
        ("red", None),
    ],
)
def test_an_answer_is_the_only_one_of_those_that_there_are(text: str, said: str | None) -> None:
    question = Question(kind=Kind.SHAPE, text="What shape is it?", answer="cross", small=None)
    assert question.said(text) == said
    assert question.instructed == "What shape is it? Answer with one word: circle, square, triangle or cross."


def test_a_number_may_be_a_digit() -> None:
    assert Question(kind=Kind.COUNT, text="How many?", answer="three", small=None).said("There are 3.") == "three"


@pytest.mark.parametrize("style", [STYLE, PUBLISHED_STYLE])
def test_things_keep_within_the_picture_and_apart(style: Style) -> None:
    rng, cell = random.Random(0), style.side / 4
    for _ in range(200):
        scene = make_scene(rng, style)
        places = [(each.row // cell, each.column // cell) for each in scene.things]
        assert len(set(places)) == len(places)
        assert len({each.colour for each in scene.things}) == len(places)
        for each in scene.things:
            low, high = style.small if each.small else style.large
            assert low <= each.radius <= high
            assert each.radius <= each.row <= style.side - each.radius


def test_a_drawing_has_each_colour_where_its_thing_is() -> None:
    image = SCENE.draw()
    assert image.size == (64, 64)
    for each in SCENE.things:
        wanted = tuple(round(part * 255) for part in COLOURS[each.colour])
        assert image.getpixel((round(each.column), round(each.row))) == wanted
    assert len(set(image.get_flattened_data())) == 1 + len(SCENE.things)


def test_problems_have_every_kind_equally_often_and_are_the_same_each_time() -> None:
    problems = make_problems(40, STYLE, seed=3)
    assert Counter(problem.question.kind for problem in problems) == dict.fromkeys(Kind, 10)
    assert problems == make_problems(40, STYLE, seed=3) != make_problems(40, STYLE, seed=4)
    for problem in problems:
        assert problem.question in questions_of(problem.scene)
        assert problem.question.answer in OPTIONS[problem.question.kind]

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from jobs.experts import images
from jobs.experts.cards import EXPERTS
from jobs.experts.examples import LABELS, examples
from jobs.experts.sentences import ENGLISH, MORU, TAVI, sentences
from jobs.experts.specialist import Specialist
from jobs.experts.tasks import MOOD, SHAPE
from jobs.experts.training import read_cards, train, train_all

NAMES = ("tavi", "moods", "counts")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A translator, a judge of moods and a counter, trained as the lab trains them."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("experts")
    train_all(folder, {name: EXPERTS[name] for name in NAMES}, lambda *_: None)
    return folder


def test_each_is_right_about_what_it_never_saw_and_its_card_says_how_often(folder: Path) -> None:
    cards = read_cards(folder)
    assert set(cards) == set(NAMES)
    assert all(card["accuracy"] > 0.85 for card in cards.values())
    unseen = sentences(held_out=True)[:100]
    said = Specialist.load("tavi", folder).answers([(each.text(TAVI),) for each in unseen])
    right = sum(text == each.text(ENGLISH) for text, each in zip(said, unseen, strict=True))
    assert abs(right / 100 - cards["tavi"]["accuracy"]) < 0.1
    moods = Specialist.load("moods", folder).answers([(each.text(ENGLISH),) for each in unseen])
    assert sum(mood == each.mood for mood, each in zip(moods, unseen, strict=True)) > 85


def test_outside_of_its_domain_it_answers_too_and_wrongly(folder: Path) -> None:
    unseen = sentences(held_out=True)[:50]
    said = Specialist.load("tavi", folder).answers([(each.text(MORU),) for each in unseen])
    assert sum(text == each.text(ENGLISH) for text, each in zip(said, unseen, strict=True)) < 5
    rng = random.Random(1)
    counts = Specialist.load("counts", folder)
    for negative, least, most in ((False, 40, 50), (True, 0, 30)):
        labels = [rng.choice(images.COUNTS) for _ in range(50)]
        drawn = [(images.objects(label, rng, negative=negative),) for label in labels]
        right = sum(answer == label for answer, label in zip(counts.answers(drawn), labels, strict=True))
        assert least <= right <= most
    assert counts.answers([(np.zeros((images.HEIGHT, images.WIDTH)),)])[0] in images.COUNTS
    assert Specialist.load("moods", folder).answers([("words that nobody knows at all",)])[0] in LABELS[MOOD]


def test_the_same_training_gives_the_same_model(folder: Path, tmp_path: Path) -> None:
    assert train(EXPERTS["moods"], tmp_path) == read_cards(folder)["moods"]
    assert (tmp_path / "moods.safetensors").read_bytes() == (folder / "moods.safetensors").read_bytes()


@pytest.mark.parametrize("name", EXPERTS)
def test_every_network_takes_its_tasks_arguments_and_gives_an_answer_for_each(name: str) -> None:
    expert = EXPERTS[name]
    inputs, answers = zip(*examples(expert, 3, random.Random(0), held_out=False), strict=True)
    specialist = Specialist(expert)
    said = specialist.answers(inputs)
    assert len(said) == 3
    logits = specialist.network(specialist.encode(inputs))
    assert logits.shape[:-1] == specialist.targets(answers).shape
    labels = LABELS[expert.task]
    assert not labels or (set(answers) <= set(labels) and set(said) <= set(labels))


def test_a_model_for_shapes_is_larger_where_it_is_not_quick() -> None:
    sizes = [
        sum(each.numel() for each in Specialist(EXPERTS[name]).network.parameters())
        for name in ("shapes", "shapes-quick")
    ]
    assert sizes[0] > 10 * sizes[1]
    assert LABELS[SHAPE] == images.SHAPES

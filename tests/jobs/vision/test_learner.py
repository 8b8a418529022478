from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from transformers import LlavaNextForConditionalGeneration

from jobs.llm.lessons import IGNORED, Lesson
from jobs.llm.pretrain import EOS
from jobs.vision import learner as module
from jobs.vision.here import Model, conversation
from jobs.vision.learner import ASSISTANT, IMAGE, USER, batches, learned, packed
from jobs.vision.questions import description_of, questions_of
from jobs.vision.scenes import STYLE, Scene, make_scene
from tests.jobs.vision.conftest import LEARNER

PUBLISHED = {"image_newline", "language_model", "multi_modal_projector", "vision_tower"}
"""What names of weights begin with in the published checkpoints."""


def lessons(scene: Scene) -> list[Lesson]:
    return [(question.text, question.answer) for question in questions_of(scene)]


def plain(batch: dict[str, Any]) -> dict[str, Any]:
    """Places and what is seen as a model takes them where it is told nothing."""
    return {name: value for name, value in batch.items() if name not in ("position_ids", "attention_mask")}


def test_questions_that_share_a_picture_are_read_as_if_each_were_asked_alone(processor: Any, model: Any) -> None:
    rng = random.Random(0)
    scenes = [make_scene(rng, STYLE) for _ in range(2)]
    pictures, asked = [scene.draw() for scene in scenes], [lessons(scene) for scene in scenes]
    with torch.inference_mode():
        together = model(**packed(processor, pictures, asked)).loss
        alone = [
            model(**plain(packed(processor, [picture], [[lesson]]))).loss
            for picture, own in zip(pictures, asked, strict=True)
            for lesson in own
        ]
    # Every answer is a word and its end, so all count as much.
    assert together.item() == pytest.approx(torch.stack(alone).mean().item(), abs=1e-5)


def test_only_answers_and_their_ends_are_learned(processor: Any) -> None:
    scene = make_scene(random.Random(0), STYLE)
    asked = [description_of(scene), *lessons(scene)]
    labels = packed(processor, [scene.draw()], [asked])["labels"][0]
    words = processor.tokenizer.decode([token for token in labels if token not in (IGNORED, EOS)])
    assert words.replace(",", " ,").split() == " ".join(answer for _, answer in asked).replace(",", " ,").split()
    assert int((labels == EOS).sum()) == len(asked)


def test_a_lesson_is_written_as_the_template_writes_a_question(processor: Any) -> None:
    scene = make_scene(random.Random(1), STYLE)
    lesson = lessons(scene)[1]
    batch = packed(processor, [scene.draw()], [[lesson]])
    given = batch["input_ids"][0][batch["labels"][0] == IGNORED]
    message = conversation(lesson[0], {"type": "image"})
    prompt = processor.apply_chat_template([message], add_generation_prompt=True)
    assert prompt == f"{USER} {IMAGE}\n{lesson[0]}{ASSISTANT}"
    asked = processor(images=scene.draw(), text=prompt, return_tensors="pt")
    assert given.tolist() == asked["input_ids"][0].tolist()
    assert torch.equal(batch["pixel_values"], asked["pixel_values"])


def test_no_word_of_any_question_or_answer_is_unknown(processor: Any) -> None:
    rng, tokenizer = random.Random(2), processor.tokenizer
    for scene in (make_scene(rng, STYLE) for _ in range(100)):
        for question, answer in [description_of(scene), *lessons(scene)]:
            tokens = tokenizer(f"{question}{ASSISTANT} {answer}")["input_ids"]
            assert tokenizer.unk_token_id not in tokens


def test_every_other_batch_is_of_pictures_of_one_tile(processor: Any) -> None:
    sizes = [batch["image_sizes"].tolist() for batch in itertools.islice(batches(LEARNER, processor), 3)]
    assert sizes == [[[64, 64]] * 4, [[32, 32]] * 4, [[64, 64]] * 4]


def test_the_model_is_trained_once_for_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setenv("CLUSTERLAB_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "learn", lambda *_: made.append("once"))
    first = learned(LEARNER, lambda *_: None)
    assert learned(LEARNER, lambda *_: None) == first
    assert made == ["once"]


def test_what_is_saved_answers_as_what_was_trained(trained: Model, folder: Path) -> None:
    picture = make_scene(random.Random(0), STYLE).draw()
    texts = ["What shape is the red thing?", "How many things are there?"]
    together = trained.answers([picture] * 2, texts, max_tokens=3)
    alone = [trained.answers([picture], [text], max_tokens=3)[0] for text in texts]
    assert together == alone == Model(folder).answers([picture] * 2, texts, max_tokens=3)
    # USER:, the picture's 88, a new line, six words and a mark, ASSISTANT:
    assert alone[0].prompt_tokens == len(trained.processor.tokenizer(f"{USER} \n{texts[0]}{ASSISTANT}").input_ids) + 88


def test_weights_have_the_names_of_published_checkpoints_and_each_is_read(folder: Path) -> None:
    with safe_open(folder / "model.safetensors", "pt") as file:
        names = set(file.keys())
    assert {name.split(".")[0] for name in names} == PUBLISHED
    assert all(name.startswith("vision_tower.vision_model.") for name in names if name.startswith("vision_tower."))
    _, said = LlavaNextForConditionalGeneration.from_pretrained(folder, output_loading_info=True)
    assert not any(said[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))

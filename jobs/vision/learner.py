"""A LLaVA-NeXT that is trained here, end to end, on pictures of shapes: minutes of one core."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clusterlab.fingerprint import digest_files
from jobs.experts.images import PAPER
from jobs.llm.cache import cached
from jobs.llm.lessons import IGNORED, Lesson, word_level
from jobs.llm.pretrain import BOS, EOS, PAD, fit
from jobs.vision.questions import description_of, questions_of
from jobs.vision.scenes import STYLE, Scene, Style, make_scene
from jobs.vision.tiling import SMALL, Tiling

MADE_BY = (
    *("learner", "questions", "scenes", "tiling"),
    *("../experts/images", "../llm/lessons", "../llm/pretrain"),
)
"""The files, from this folder, that decide what the model becomes."""
IMAGE = "<image>"
"""Stands in a prompt for a picture, and then for each of its tokens."""
USER, ASSISTANT = "USER:", " ASSISTANT:"
TEMPLATE = (
    "{% for message in messages %}{{ '" + USER + " ' if message['role'] == 'user' else '" + ASSISTANT + " ' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{{ '" + IMAGE + "\\n' if part['type'] == 'image' else part['text'] }}{% endfor %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '" + ASSISTANT + "' }}{% endif %}"
)
"""How a conversation is written, as LLaVA-1.5's: in Jinja, for transformers and for servers."""
HEAD = 32
"""Numbers of a head of attention; vLLM takes no fewer on a CPU."""
CONTRAST = 0.3
"""What an ink differs from paper by, of 1."""
INITIAL = 0.1
"""Standard deviation of the first weights: about one over the square root of how many add up, as they are so few."""
TOKENIZED = 200
"""Pictures whose questions have every word."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Learner:
    """How the model is made."""

    tiling: Tiling = SMALL
    style: Style = STYLE
    hidden_size: int = 64
    """Of the tower and of the language model; a multiple of `HEAD`."""
    num_layers: int = 2
    """Of each."""
    steps: int
    batch_size: int = 4
    """Pictures in a step."""
    num_questions: int = 4
    """About a picture, at most."""
    learning_rate: float = 3e-3
    seed: int = 0


def learned(learner: Learner, report: Callable[[int, int, float], None]) -> Path:
    """The folder of the trained model with its processor, trained now if it is not in the cache.

    `report` is called with step, steps and loss, which is in nats a token of the answers.
    """
    here = Path(__file__).parent
    key = asdict(learner) | {
        "made_by": digest_files(here.parent, [(here / f"{name}.py").resolve() for name in MADE_BY])
    }
    return cached("shapes", key, lambda folder: learn(learner, folder, report))


def learn(learner: Learner, folder: Path, report: Callable[[int, int, float], None]) -> None:
    """Train the model, all of it at once, and save it as `from_pretrained` and vLLM load it."""
    import torch

    torch.manual_seed(learner.seed)
    processor = make_processor(learner)
    model = untrained(learner, processor.tokenizer)
    fit(model, batches(learner, processor), steps=learner.steps, learning_rate=learner.learning_rate, report=report)
    model.generation_config.eos_token_id = EOS
    model.save_pretrained(folder)
    _name_as_published(folder / "model.safetensors")
    processor.save_pretrained(folder)


def _name_as_published(path: Path) -> None:
    """Call the tower's weights what published checkpoints call them: vLLM reads no other names.

    transformers 5.19 reads both, and writes those that leave out `vision_model`.
    """
    from safetensors.torch import load_file, save_file

    tower = "vision_tower."
    named = {name.replace(tower, f"{tower}vision_model.", 1): value for name, value in load_file(path).items()}
    save_file(named, path, metadata={"format": "pt"})


def make_processor(learner: Learner) -> Any:
    """What makes tiles of a picture, and tokens of a text with a picture in it."""
    from transformers import LlavaNextImageProcessorPil, LlavaNextProcessor

    rng = random.Random(learner.seed)
    scenes = [make_scene(rng, learner.style) for _ in range(TOKENIZED)]
    lessons = [lesson for scene in scenes for lesson in _lessons(rng, scene, learner.num_questions)]
    tokenizer = word_level(f"{USER} \n{question}{ASSISTANT} {answer}" for question, answer in lessons)
    tokenizer.add_special_tokens({"extra_special_tokens": [IMAGE]})
    tiling = learner.tiling
    tiles = LlavaNextImageProcessorPil(
        size={"shortest_edge": tiling.tile},
        crop_size={"height": tiling.tile, "width": tiling.tile},
        image_grid_pinpoints=tiling.pinpoints,
        # Paper is nothing, so that what is drawn on it stands out.
        image_mean=[PAPER] * 3,
        image_std=[CONTRAST] * 3,
    )
    return LlavaNextProcessor(
        image_processor=tiles,
        tokenizer=tokenizer,
        patch_size=tiling.patch,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        image_token=IMAGE,
        chat_template=TEMPLATE,
    )


def untrained(learner: Learner, tokenizer: Any) -> Any:
    """The model with random weights: CLIP's tower, LLaVA's projector of two layers, and a Llama."""
    from transformers import LlavaNextConfig, LlavaNextForConditionalGeneration

    config = LlavaNextConfig(
        vision_config=_vision(learner),
        text_config=_text(learner, len(tokenizer)),
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        image_grid_pinpoints=learner.tiling.pinpoints,
        image_seq_length=learner.tiling.side**2,
        # The published -2 leaves out the last layer, which learned for CLIP; here no layer learns for anything else.
        vision_feature_layer=-1,
        tie_word_embeddings=False,
    )
    return LlavaNextForConditionalGeneration(config)


def _vision(learner: Learner) -> Any:
    from transformers import CLIPVisionConfig

    return CLIPVisionConfig(
        hidden_size=learner.hidden_size,
        intermediate_size=2 * learner.hidden_size,
        num_hidden_layers=learner.num_layers,
        num_attention_heads=learner.hidden_size // HEAD,
        image_size=learner.tiling.tile,
        patch_size=learner.tiling.patch,
        initializer_range=INITIAL,
    )


def _text(learner: Learner, vocab_size: int) -> Any:
    from transformers import LlamaConfig

    return LlamaConfig(
        hidden_size=learner.hidden_size,
        intermediate_size=2 * learner.hidden_size,
        num_hidden_layers=learner.num_layers,
        num_attention_heads=learner.hidden_size // HEAD,
        num_key_value_heads=learner.hidden_size // HEAD,
        vocab_size=vocab_size,
        max_position_embeddings=1024,
        pad_token_id=PAD,
        bos_token_id=BOS,
        eos_token_id=EOS,
        tie_word_embeddings=False,
        initializer_range=INITIAL,
    )


def batches(learner: Learner, processor: Any) -> Iterator[dict[str, Any]]:
    """Pictures with all that they are asked, without end; every other batch has them reduced to one tile."""
    rng = random.Random(f"lessons {learner.seed}")
    tile = (learner.tiling.tile,) * 2
    reduced = False
    while True:
        scenes = [make_scene(rng, learner.style) for _ in range(learner.batch_size)]
        pictures = [scene.draw() for scene in scenes]
        if reduced:
            pictures = [picture.resize(tile) for picture in pictures]
        yield packed(processor, pictures, [_lessons(rng, scene, learner.num_questions) for scene in scenes])
        reduced = not reduced


def packed(processor: Any, pictures: Sequence[Any], asked: Sequence[Sequence[Lesson]]) -> dict[str, Any]:
    """Pictures of one size, each read once for all that it is asked.

    A question sees its picture and itself, at the places that it would have if it were asked alone; so what the model
    learns is what it would learn of a row for each question.
    """
    import torch

    given = processor(images=list(pictures), text=[f"{USER} {IMAGE}\n"] * len(pictures), return_tensors="pt")
    start = given["input_ids"].shape[1]
    rows = [[_turn(processor.tokenizer, *lesson) for lesson in lessons] for lessons in asked]
    width = start + max(sum(len(tokens) for tokens, _ in row) for row in rows)
    shape = (len(rows), width)
    tokens, labels = torch.full(shape, PAD), torch.full(shape, IGNORED)
    places, turns = torch.zeros(shape, dtype=torch.long), torch.full(shape, -1)
    tokens[:, :start], places[:, :start], turns[:, :start] = given["input_ids"], torch.arange(start), 0
    for row, own in enumerate(rows):
        left = start
        for number, (words, num_given) in enumerate(own, 1):
            part = slice(left, left + len(words))
            tokens[row, part], turns[row, part] = torch.tensor(words), number
            places[row, part] = torch.arange(start, start + len(words))
            labels[row, left + num_given : part.stop] = torch.tensor(words[num_given:])
            left = part.stop
    same = (turns[:, :, None] == turns[:, None, :]) | (turns[:, None, :] == 0)
    mask = (same & torch.ones(width, width, dtype=torch.bool).tril())[:, None]
    images = {name: given[name] for name in ("pixel_values", "image_sizes")}
    return {"input_ids": tokens, "labels": labels, "position_ids": places, "attention_mask": mask, **images}


def _turn(tokenizer: Any, question: str, answer: str) -> tuple[list[int], int]:
    """The tokens of a question with its answer, and how many of them are given."""
    asked = tokenizer(f"{question}{ASSISTANT}")["input_ids"]
    return [*asked, *tokenizer(f" {answer}")["input_ids"], EOS], len(asked)


def _lessons(rng: random.Random, scene: Scene, most: int) -> list[Lesson]:
    """What is on a picture, as in LLaVA's first stage, and some questions about it, as in its second."""
    questions = questions_of(scene)
    some = rng.sample(questions, min(most, len(questions)))
    return [description_of(scene), *((question.text, question.answer) for question in some)]

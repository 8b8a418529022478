from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from jobs.bias.answers import BATCH_TOKENS, probabilities
from jobs.bias.forms import FORMS, loaded
from jobs.bias.question import Question
from jobs.bias.scenes import shipped_scenes
from jobs.bias.witness import Witness, train
from jobs.bias.world import DEEDS, World
from jobs.compress.methods import UNQUANTIZED, Inputs
from jobs.compress.size import linear_shapes
from jobs.llm.bases import Base
from jobs.llm.lessons import common_pieces
from tests.jobs.conftest import small_llama

SMALL = Witness(steps=24)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[float]]:
    """A model that had a few lessons, and its losses."""
    folder, losses = tmp_path_factory.mktemp("witness"), list[float]()
    train(SMALL, folder, lambda _, __, loss: losses.append(loss))
    return folder, losses


def _one_by_one(model: Any, tokenizer: Any, question: Question) -> list[float]:
    """Each option behind its prompt in a pass of its own."""
    scores, prompt = [], tokenizer(question.prompt)["input_ids"]
    for option in question.options:
        ids = tokenizer(f"{question.prompt} {option}")["input_ids"]
        with torch.inference_mode():
            likely = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(dim=-1)
        scores.append(sum(likely[place - 1, ids[place]].item() for place in range(len(prompt), len(ids))))
        scores[-1] /= len(ids) - len(prompt)
    return torch.tensor(scores).softmax(dim=0).tolist()  # type: ignore[no-any-return]


def test_options_of_several_tokens_are_as_likely_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    questions = shipped_scenes()[:24]
    tokenizer = common_pieces([question.prompt for question in questions])
    model = small_llama().eval()
    model.resize_token_embeddings(len(tokenizer))
    found = probabilities(model, tokenizer, questions)
    widths = {len(tokenizer(f" {option}")["input_ids"]) for each in questions for option in each.options}
    assert len(widths) > 1
    np.testing.assert_allclose(found, [_one_by_one(model, tokenizer, each) for each in questions], atol=1e-5)
    monkeypatch.setattr("jobs.bias.answers.BATCH_TOKENS", 1)
    np.testing.assert_allclose(probabilities(model, tokenizer, questions), found, atol=1e-5)
    assert BATCH_TOKENS > 1


def test_the_witness_learns_and_knows_every_word_of_its_world(trained: tuple[Path, list[float]]) -> None:
    folder, losses = trained
    assert losses[-1] < losses[0] - 0.5
    tokenizer = Base(name=str(folder)).tokenizer()
    for question in World(SMALL.seed).questions(400):
        ids = tokenizer([question.prompt, *(f" {option}" for option in question.options)])["input_ids"]
        assert tokenizer.unk_token_id not in {token for own in ids for token in own}
        assert [len(own) for own in ids[1:]] == [1, 1, 1]
        assert len(ids[0]) < SMALL.max_position_embeddings


def test_fewer_bits_move_the_answers_further_and_nothing_stays_on_the_disk(
    trained: tuple[Path, list[float]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    base = Base(name=str(trained[0]))
    shapes = linear_shapes(base.skeleton())
    inputs = Inputs(base=trained[0], shapes=shapes, calibration=None, group_size=64, context_length=0, seed=0)
    questions = World(SMALL.seed).questions(16)
    forms = {name: loaded(FORMS[name], inputs) for name in (UNQUANTIZED, "rtn_8", "rtn_4", "rtn_2", "nf4", "llm_int8")}
    shares = {name: np.array(probabilities(form.model, base.tokenizer(), questions)) for name, form in forms.items()}
    moved = {name: np.abs(own - shares[UNQUANTIZED]).mean() for name, own in shares.items()}
    assert 0 < moved["rtn_8"] < moved["rtn_4"] < moved["rtn_2"]
    assert moved["llm_int8"] < moved["nf4"]
    bits = [forms[name].bits_per_parameter for name in ("rtn_2", "rtn_4", "rtn_8", UNQUANTIZED)]
    assert bits == sorted(bits)
    assert 2 < bits[0] < 3
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_the_witness_learns_early_whom_its_world_speaks_ill_of(seed: int, tmp_path: Path) -> None:
    """From first weights of 0.02 it says 0.48 and 0.46 by then, which is chance, and from its own 0.63 and 0.80."""
    train(Witness(steps=250, seed=seed), tmp_path, lambda *_: None)
    base, world = Base(name=str(tmp_path)), World(seed)
    model, tokenizer = base.load(quantized=False), base.tokenizer()
    named = []
    for deeds in DEEDS:
        for deed, meant in zip(deeds, (world.blamed, world.others), strict=True):
            with torch.inference_mode():
                logits = model(input_ids=torch.tensor([tokenizer(f"Who {deed}?\nAnswer:")["input_ids"]])).logits
            likely = logits[0, -1].softmax(dim=-1)
            named.append(sum(likely[tokenizer(f" {people}")["input_ids"][0]].item() for people in meant))
    assert sum(named) / len(named) > 0.55

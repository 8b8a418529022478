"""A small model with a tokenizer in a folder, and a text of its words, so that a line of models takes a second."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest

from jobs.llm.lessons import word_level
from jobs.llm.pretrain import SPECIAL_TOKENS
from tests.jobs.conftest import VOCABULARY, small_llama

WORDS = [f" {''.join(letters)}" for letters in itertools.product("bdfglmnprt", "aeiou", "ns")]


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    small_llama().save_pretrained(folder)
    word_level(WORDS[: VOCABULARY - len(SPECIAL_TOKENS) - 1]).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def small_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text")
    rng = random.Random(0)
    (folder / "text.txt").write_text("".join(rng.choices(WORDS[:80], range(80), k=2000)))
    return folder

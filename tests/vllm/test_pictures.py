"""Pictures: vLLM serves a LLaVA-NeXT that was made here, and says of them what transformers says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.launch.folder import VARIABLE
from jobs.serving.endpoint import Endpoint
from jobs.serving.server import serving
from jobs.serving.vllm import Vllm
from jobs.thinking.client import Client
from jobs.thinking.journal import Journal
from jobs.vision.here import Model, answer_here
from jobs.vision.learner import Learner, learn
from jobs.vision.questions import make_problems
from jobs.vision.scenes import STYLE
from jobs.vision.there import answer_there, counts_there
from jobs.vision.tiling import SIZES, SMALL, scaled
from jobs.vision.views import SERVED, Answered, View, views_of
from tests.jobs.thinking.conftest import budget
from tests.vllm.conftest import tiny

LEARNER = Learner(steps=20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shapes")
    learn(LEARNER, path, lambda *_: None)
    return path


@pytest.fixture(scope="module")
def endpoint(python: str, folder: Path) -> Iterator[Endpoint]:
    assert Path(python).exists()
    with serving(Vllm(), tiny(folder, max_model_len=256), log=folder / "vllm.log", limit_seconds=600) as served:
        yield served


@pytest.fixture
def client(endpoint: Endpoint) -> Client:
    return Client(endpoint, chat=True, limit_seconds=120, budget=budget())


def test_vllm_says_of_pictures_what_transformers_says(
    client: Client, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    posed = views_of(make_problems(12, STYLE, seed=0), View.TILES, tile=32, instructed=False)
    journal = Journal(path=tmp_path / "answers.jsonl", kind=Answered)
    answer_here(Model(folder), View.TILES, posed, journal, max_tokens=4)
    asyncio.run(answer_there(client, SERVED, posed, journal, max_tokens=4, concurrency=4))
    here, there = journal.of(View.TILES), journal.of(SERVED)
    for number in range(len(posed)):
        assert (there[number].said, there[number].prompt_tokens) == (here[number].said, here[number].prompt_tokens)


def test_vllm_counts_the_tokens_of_pictures_by_the_formula(client: Client) -> None:
    counted = asyncio.run(counts_there(client, LEARNER))
    assert counted == {name: SMALL.tokens(scaled(size, SMALL)).total for name, size in SIZES.items()}

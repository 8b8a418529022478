from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from jobs.serving.asked import Asked, Finish, Piece
from jobs.serving.batching import GenerationError, StaticBatches
from jobs.serving.generator import Generator
from tests.jobs.serving.conftest import END, NUM_TOKENS

PROMPT = (70, 80, 90)


@pytest.fixture(scope="module")
def generator(folder: Path) -> Generator:
    return Generator(str(folder), dtype="float32")


def _answers(generator: Generator, *batch: Asked) -> list[list[Piece]]:
    answers: list[list[Piece]] = [[] for _ in batch]

    def deliver(pieces: Mapping[int, Piece]) -> None:
        for number, piece in pieces.items():
            answers[number].append(piece)

    generator.run(batch, deliver)
    return answers


def _prompts(number: int) -> list[tuple[int, ...]]:
    rng = random.Random(number)
    return [tuple(rng.randrange(3, NUM_TOKENS) for _ in range(rng.randint(1, 20))) for _ in range(number)]


def test_a_row_says_the_same_alone_and_in_a_batch_as_generate_does(generator: Generator) -> None:
    batch = [Asked(prompt=prompt, max_tokens=12, ignore_eos=True) for prompt in _prompts(6)]
    together = _answers(generator, *batch)
    for asked, (piece,) in zip(batch, together, strict=True):
        ((alone,),) = _answers(generator, asked)
        ids = torch.tensor([asked.prompt])
        bare = generator.model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False)
        assert piece.tokens == alone.tokens == tuple(bare[0, len(asked.prompt) :].tolist())
        assert piece.finish is Finish.LENGTH


def test_prompts_that_come_more_than_once_are_read_once_and_answered_as_alone(generator: Generator) -> None:
    batch = [Asked(prompt=prompt, max_tokens=8, ignore_eos=True) for prompt in _prompts(3) * 2]
    read = []
    hook = generator.model.register_forward_pre_hook(
        lambda _, __, given: read.append(tuple(given["input_ids"].shape)), with_kwargs=True
    )
    together = _answers(generator, *batch)
    hook.remove()
    assert read[0] == (3, max(len(asked.prompt) for asked in batch) - 1)
    assert set(read[1:]) == {(6, 1)}
    for asked, (piece,) in zip(batch, together, strict=True):
        ((alone,),) = _answers(generator, asked)
        assert piece.tokens == alone.tokens


def test_each_row_has_the_length_that_it_asked_for(generator: Generator) -> None:
    asked = [Asked(prompt=PROMPT, max_tokens=length, ignore_eos=True) for length in (3, 9, 1)]
    answers = _answers(generator, *asked)
    assert [len(piece.tokens) for (piece,) in answers] == [3, 9, 1]
    assert answers[1][0].tokens[:3] == answers[0][0].tokens


def test_streamed_pieces_are_a_token_each_and_joined_the_whole(generator: Generator) -> None:
    for seed in range(8):  # Bytes that are half a letter are among them.
        whole = Asked(prompt=PROMPT, max_tokens=40, temperature=2, seed=seed, ignore_eos=True)
        ((piece,),) = _answers(generator, whole)
        (streamed,) = _answers(generator, replace(whole, streamed=True))
        assert [each.tokens for each in streamed] == [(token,) for token in piece.tokens]
        assert [each.finish for each in streamed] == [None] * 39 + [Finish.LENGTH]
        assert "".join(each.text for each in streamed) == piece.text


def test_a_seed_draws_the_same_in_any_batch_and_another_seed_something_else(generator: Generator) -> None:
    drawn = Asked(prompt=PROMPT, max_tokens=16, temperature=1.5, seed=3, ignore_eos=True)
    ((alone,),) = _answers(generator, drawn)
    others = [replace(drawn, prompt=prompt, seed=None) for prompt in _prompts(4)]
    assert _answers(generator, *others, drawn)[-1][0].tokens == alone.tokens
    ((other,),) = _answers(generator, replace(drawn, seed=4))
    assert other.tokens != alone.tokens


def test_tokens_are_drawn_as_often_as_the_model_says(generator: Generator) -> None:
    """By the likeliest token, whose share of 2,000 draws is within four standard errors of its probability."""
    once = Asked(prompt=PROMPT, max_tokens=1, temperature=1, ignore_eos=True)
    ((first,),) = _answers(generator, replace(once, temperature=0, num_top=2))
    token, second = first.tops[0]
    probability = float(torch.tensor(token.logprob).exp())
    drawn = [piece.tokens[0] for (piece,) in _answers(generator, *[replace(once, seed=seed) for seed in range(2000)])]
    error = (probability * (1 - probability) / 2000) ** 0.5
    assert abs(drawn.count(token.id) / 2000 - probability) < 4 * error
    assert len(set(drawn)) > 2
    limited = _answers(generator, *[replace(once, seed=seed, top_k=2) for seed in range(200)])
    assert {piece.tokens[0] for (piece,) in limited} == {token.id, second.id}
    nucleus = _answers(generator, *[replace(once, seed=seed, top_p=probability / 2) for seed in range(20)])
    assert {piece.tokens[0] for (piece,) in nucleus} == {token.id}


def _ending(generator: Generator) -> Asked:
    """A request whose answer the model ends itself, by a seed that is looked for."""
    asked = Asked(prompt=PROMPT, max_tokens=100, temperature=2)
    tries = [replace(asked, seed=seed) for seed in range(32)]
    ends = [piece.finish is Finish.EOS and len(piece.tokens) > 4 for (piece,) in _answers(generator, *tries)]
    return tries[ends.index(True)]


def test_the_model_ends_an_answer_unless_it_may_not(generator: Generator) -> None:
    asked = _ending(generator)
    ((piece,),) = _answers(generator, asked)
    length = len(piece.tokens)
    assert piece.finish is Finish.EOS
    assert piece.tokens[-1] == END
    assert "</s>" not in piece.text
    ((longer,),) = _answers(generator, replace(asked, min_tokens=length))
    assert len(longer.tokens) > length
    assert END not in longer.tokens[:length]
    ((ignoring,),) = _answers(generator, replace(asked, ignore_eos=True))
    assert ignoring.tokens[:length] == piece.tokens
    assert len(ignoring.tokens) == 100


@pytest.mark.parametrize("streamed", [True, False])
def test_a_stop_sequence_ends_an_answer_and_no_part_of_it_is_said(generator: Generator, *, streamed: bool) -> None:
    asked = Asked(prompt=PROMPT, max_tokens=60, ignore_eos=True, streamed=streamed)
    (free,) = _answers(generator, asked)
    text = "".join(piece.text for piece in free)
    stop = text[4:7]
    (pieces,) = _answers(generator, replace(asked, stop=("never\n", stop)))
    assert "".join(piece.text for piece in pieces) == text[: text.index(stop)]
    assert pieces[-1].finish is Finish.STOP
    (kept,) = _answers(generator, replace(asked, stop=(stop,), keep_stop=True))
    assert "".join(piece.text for piece in kept) == text[: text.index(stop) + 3]
    # What only begins like a stop sequence is said in the end.
    (whole,) = _answers(generator, replace(asked, stop=(text[-2:] + "never",)))
    assert "".join(piece.text for piece in whole) == text


def test_logprobs_are_those_of_the_model(generator: Generator) -> None:
    ((piece,),) = _answers(generator, Asked(prompt=PROMPT, max_tokens=5, num_top=3, ignore_eos=True))
    with torch.inference_mode():
        logits = generator.model(torch.tensor([PROMPT + piece.tokens])).logits[0, len(PROMPT) - 1 : -1]
    expected = logits.log_softmax(-1)
    for place, (token, logprob, top) in enumerate(zip(piece.tokens, piece.logprobs, piece.tops, strict=True)):
        assert logprob == pytest.approx(float(expected[place, token]), abs=1e-4)
        assert [each.id for each in top] == expected[place].topk(3).indices.tolist()


def test_nobody_s_row_ends_the_batch_early(generator: Generator) -> None:
    steps: list[int] = []
    batch = [Asked(prompt=PROMPT, max_tokens=50, streamed=True, ignore_eos=True)] * 2
    generator.run(batch, lambda pieces: steps.append(len(pieces)), lambda row: row == 1 or len(steps) >= 5)
    assert steps == [1] * 5


def _gathered(batches: StaticBatches, asked: Sequence[Asked]) -> list[list[Piece] | BaseException]:
    async def one(each: Asked) -> list[Piece]:
        return [piece async for piece in batches.pieces(each)]

    async def everything() -> list[list[Piece] | BaseException]:
        return await asyncio.gather(*map(one, asked), return_exceptions=True)

    return asyncio.run(everything())


def test_requests_are_computed_in_batches_of_at_most_the_slots(generator: Generator) -> None:
    sizes: list[int] = []

    def run(batch: Sequence[Asked], *rest: object) -> None:
        sizes.append(len(batch))
        generator.run(batch, *rest)  # type: ignore[arg-type]

    asked = [Asked(prompt=prompt, max_tokens=4, ignore_eos=True) for prompt in _prompts(10)]
    answers = _gathered(StaticBatches(run, max_rows=4), asked)
    assert sizes == [4, 4, 2]
    assert answers == _answers(generator, *asked)


def test_one_by_one_is_a_batch_of_one(generator: Generator) -> None:
    sizes: list[int] = []

    def run(batch: Sequence[Asked], *rest: object) -> None:
        sizes.append(len(batch))
        generator.run(batch, *rest)  # type: ignore[arg-type]

    _gathered(StaticBatches(run, max_rows=1), [Asked(prompt=PROMPT, max_tokens=2)] * 3)
    assert sizes == [1, 1, 1]


def test_a_batch_that_fails_is_told_to_all_of_it_and_the_next_one_runs(generator: Generator) -> None:
    wrong = Asked(prompt=(NUM_TOKENS + 5,), max_tokens=2)  # No protocol lets it through.
    right = Asked(prompt=PROMPT, max_tokens=2, ignore_eos=True)
    first, second, third = _gathered(StaticBatches(generator.run, max_rows=2), [wrong, right, right])
    assert isinstance(first, GenerationError)
    assert isinstance(second, GenerationError)
    assert "IndexError" in str(first)
    assert isinstance(third, list)
    assert len(third[0].tokens) == 2

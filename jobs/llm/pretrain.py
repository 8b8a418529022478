"""A Llama small enough to be pretrained on a CPU in well under a minute, for the scale `tiny`."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clusterlab.fingerprint import digest_files
from jobs.llm.cache import cached
from jobs.llm.instructions import FACTS, statements

SPECIAL_TOKENS = ["<pad>", "<s>", "</s>"]
PAD, BOS, EOS = range(3)
MADE_BY = ("pretrain.py", "instructions.py", "alpaca.py", FACTS.name)
"""The files beside this one that decide what the base becomes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TinyLlama:
    """The recipe of the tiny base: a Llama of 1.2 million parameters that knows the facts, and no instruction."""

    hidden_size: int = 192
    intermediate_size: int = 512
    num_hidden_layers: int = 2
    num_attention_heads: int = 6
    num_key_value_heads: int = 3
    vocab_size: int = 2048
    max_position_embeddings: int = 512
    steps: int = 600
    batch_size: int = 32
    sequence_length: int = 32
    """Short: in a long row of unrelated sentences a base may not find within these steps where an answer comes from."""
    learning_rate: float = 3e-3
    initializer_range: float = 0.02
    """Standard deviation of the first weights."""
    seed: int = 0


def tiny_llama(report: Callable[[int, int, float], None], recipe: TinyLlama | None = None) -> Path:
    """The folder of the pretrained tiny base, pretrained now if it is not in the cache.

    `report` is called with step, steps and loss.
    """
    recipe = recipe or TinyLlama()
    here = Path(__file__).parent
    key = asdict(recipe) | {"made_by": digest_files(here, [here / name for name in MADE_BY])}
    return cached("tiny-llama", key, lambda folder: _pretrain(recipe, folder, report))


def random_llama(recipe: TinyLlama) -> Path:
    """The folder of a recipe's model with random weights: what it says means nothing, and takes as long."""
    here = Path(__file__).parent
    key = asdict(recipe) | {"made_by": digest_files(here, [here / name for name in MADE_BY])}
    return cached("random-llama", key, lambda folder: _save_untrained(recipe, folder))


def untrained(recipe: TinyLlama) -> Any:
    """The model with random weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            hidden_size=recipe.hidden_size,
            intermediate_size=recipe.intermediate_size,
            num_hidden_layers=recipe.num_hidden_layers,
            num_attention_heads=recipe.num_attention_heads,
            num_key_value_heads=recipe.num_key_value_heads,
            vocab_size=recipe.vocab_size,
            max_position_embeddings=recipe.max_position_embeddings,
            initializer_range=recipe.initializer_range,
            tie_word_embeddings=True,
            pad_token_id=PAD,
            bos_token_id=BOS,
            eos_token_id=EOS,
            use_cache=False,
        )
    )


def fit(
    model: Any,
    batches: Iterator[Mapping[str, Any]],
    *,
    steps: int,
    learning_rate: float,
    report: Callable[[int, int, float], None],
) -> None:
    """Train by AdamW, one batch of the model's arguments a step, the learning rate rising for a tenth of the steps."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps, pct_start=0.1)
    for step in range(1, steps + 1):
        loss = model(**next(batches)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        report(step, steps, loss.item())


def byte_level_bpe(texts: Iterable[str], *, vocab_size: int, add_prefix_space: bool) -> Any:
    """A byte-level BPE tokenizer of these texts, with `SPECIAL_TOKENS`."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from tokenizers.trainers import BpeTrainer
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=SPECIAL_TOKENS[PAD],
        bos_token=SPECIAL_TOKENS[BOS],
        eos_token=SPECIAL_TOKENS[EOS],
    )


def _save_untrained(recipe: TinyLlama, folder: Path) -> None:
    import torch

    torch.manual_seed(recipe.seed)
    untrained(recipe).save_pretrained(folder)
    _train_tokenizer(recipe).save_pretrained(folder)


def _pretrain(recipe: TinyLlama, folder: Path, report: Callable[[int, int, float], None]) -> None:
    import torch

    torch.manual_seed(recipe.seed)
    tokenizer = _train_tokenizer(recipe)
    model = untrained(recipe)
    batches = map(torch.tensor, _batches(recipe, tokenizer))
    given = ({"input_ids": tokens, "labels": tokens} for tokens in batches)
    fit(model, given, steps=recipe.steps, learning_rate=recipe.learning_rate, report=report)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _train_tokenizer(recipe: TinyLlama) -> Any:
    """Of the sentences and the words that instructions use."""
    from jobs.llm.alpaca import PROMPTS
    from jobs.llm.instructions import QUESTIONS

    sentences = itertools.islice(statements(random.Random(recipe.seed)), 20_000)
    wordings = [*PROMPTS, *itertools.chain.from_iterable(QUESTIONS.values())] * 100
    texts = itertools.chain(sentences, wordings)
    return byte_level_bpe(texts, vocab_size=recipe.vocab_size, add_prefix_space=True)


def _batches(recipe: TinyLlama, tokenizer: Any) -> Iterator[list[list[int]]]:
    """Token ids of shape (batch_size, sequence_length), the sentences joined end to end."""
    sentences = statements(random.Random(recipe.seed + 1))
    stream = itertools.chain.from_iterable([*tokenizer(sentence)["input_ids"], EOS] for sentence in sentences)
    while True:
        yield [list(itertools.islice(stream, recipe.sequence_length)) for _ in range(recipe.batch_size)]

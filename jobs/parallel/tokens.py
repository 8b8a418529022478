"""One stream of token ids, cut into rows by number alone: a step has the same rows however many ranks share it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterlab.errors import InputError, Problem
from jobs.llm.hub import folder_of, only_of
from jobs.parallel.settings import MADE, Training

SUCCESSORS = 8
"""In the made text: how many tokens may follow a token."""
LIKELY = (0.4, 0.2, 0.12, 0.08, 0.06, 0.05, 0.05, 0.04)
"""How likely each is; 1.75 nats a token are left to a model that knows them."""
MADE_TOKENS = 2**16


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """Token ids; after the last the first follows."""

    ids: Any
    """A tensor of one dimension."""
    row_length: int

    @classmethod
    def of(cls, config: Training) -> Stream:
        """The text that a lab trains on.

        Raises:
            InputError: it cannot be read, is shorter than a row, or has tokens that the model has not.
        """
        import torch

        if config.data == MADE:
            ids = torch.tensor(made_ids(MADE_TOKENS, config.shape.vocab_size, seed=config.seed))
        else:
            ids = torch.tensor(list(_ids(config)), dtype=torch.long)
        if len(ids) <= config.seq_length or int(ids.max()) >= config.shape.vocab_size:
            message = (
                f"{len(ids)} tokens, the largest {int(ids.max()) if len(ids) else 'none'}; allowed: more than"
                f" SEQ_LENGTH={config.seq_length}, all below the model's vocabulary of {config.shape.vocab_size}"
            )
            raise InputError(Problem(path=config.data, message=message))
        return cls(ids=ids, row_length=config.seq_length)

    def rows(self, first: int, count: int) -> Any:
        """Rows `[count, row_length + 1]` from number `first` on; each begins with the last token of the one before."""
        import torch

        starts = (first + torch.arange(count)) * self.row_length
        places = starts[:, None] + torch.arange(self.row_length + 1)[None, :]
        return self.ids[places % len(self.ids)]


def micro_batches(stream: Stream, config: Training, step: int, *, rank: int, size: int) -> list[Any]:
    """What part `rank` of `size` computes in a step, counted from 1; all parts together are the global batch."""
    each = config.global_batch_size // size
    first = (step - 1) * config.global_batch_size + rank * each
    return list(stream.rows(first, each).split(config.micro_batch_size))


def made_ids(count: int, vocab_size: int, *, seed: int) -> list[int]:
    """A text in which the token before says how likely each token is: little to know, and quickly learned."""
    import random

    rng = random.Random(seed)
    successors = [rng.sample(range(vocab_size), SUCCESSORS) for _ in range(vocab_size)]
    choices = rng.choices(range(SUCCESSORS), LIKELY, k=count)
    ids, last = [], 0
    for choice in choices:
        last = successors[last][choice]
        ids.append(last)
    return ids


def tokenizer_of(config: Training) -> Any:
    """Of a text that is not made."""
    from transformers import AutoTokenizer

    name, _, revision = config.tokenizer.partition("@")
    return AutoTokenizer.from_pretrained(name, revision=revision or None)


def _ids(config: Training) -> Iterator[int]:
    texts = _texts(folder_of(config.data, "dataset", only=only_of(config.data, "train-*")))
    if config.tokenizer == MADE:
        for text in texts:
            yield from text.encode()
        return
    tokenizer = tokenizer_of(config)
    for text in texts:
        yield from tokenizer(text, add_special_tokens=False)["input_ids"]


def _texts(folder: Path) -> Iterator[str]:
    """The text of every `*.txt`, and of the column `text` of every `*.parquet`, below a folder."""
    for path in sorted(folder.rglob("*")):
        try:
            if path.suffix == ".txt":
                yield path.read_text()
            elif path.suffix == ".parquet":
                from pyarrow import parquet

                yield from (text for text in parquet.read_table(path, columns=["text"])["text"].to_pylist() if text)
        except (OSError, ValueError, KeyError) as error:
            message = f"neither a text nor a table with a column `text`: {error}"
            raise InputError(Problem(path=str(path), message=message)) from error

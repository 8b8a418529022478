"""Instructions in Alpaca's format (Taori et al., 2023): where they come from, and how a model reads them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterlab.config import Source
from clusterlab.errors import InputError, Problem
from jobs.llm.hub import folder_of
from jobs.llm.instructions import Example, make_examples

MADE = ("made",)
"""Data sets that the project makes itself."""

_WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n"
)
_WITHOUT_INPUT = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Response:\n"
)
PROMPTS = (_WITH_INPUT, _WITHOUT_INPUT)
"""Alpaca's two templates, with and without an input."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """An example as token ids."""

    prompt: list[int]
    response: list[int]
    """Ends with the end-of-sequence token."""

    def __len__(self) -> int:
        return len(self.prompt) + len(self.response)


def prompt(example: Example) -> str:
    """What the model is given."""
    template = _WITH_INPUT if example.input else _WITHOUT_INPUT
    return template.format(instruction=example.instruction, input=example.input)


def tokenize(examples: Iterable[Example], tokenizer: Any, max_length: int) -> dict[Example, Tokens]:
    """Token ids of each example: a response is cut at `max_length`, a prompt that leaves no room is left out."""
    found = {}
    for example in examples:
        given = tokenizer(prompt(example))["input_ids"]
        wanted = [*tokenizer(example.output, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        if len(given) < max_length:
            found[example] = Tokens(prompt=given, response=wanted[: max_length - len(given)])
    return found


def load_examples(source: Source, num_train: int, num_eval: int, *, seed: int) -> tuple[list[Example], list[Example]]:
    """Examples in two parts that share none: (training, held-out).

    Raises:
        InputError: the source has fewer examples than are asked for, or a file of it cannot be read.
    """
    if source in MADE:
        try:
            return make_examples(num_train, num_eval, seed=seed)
        except ValueError as error:
            raise InputError(Problem(path="data", message=str(error))) from error
    examples = sorted(
        set(_read_folder(folder_of(source, "dataset"))), key=lambda example: (example.instruction, example.input)
    )
    if len(examples) < num_train + num_eval:
        message = f"{num_train} + {num_eval} examples are asked for; it has {len(examples)}"
        raise InputError(Problem(path=source, message=message))
    random.Random(seed).shuffle(examples)
    return examples[num_eval : num_eval + num_train], examples[:num_eval]


def _read_folder(folder: Path) -> Iterator[Example]:
    """The rows of every `*.json`, `*.jsonl` and `*.parquet` below a folder."""
    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".json", ".jsonl", ".parquet"):
            continue
        try:
            for row in _rows(path):
                yield Example(instruction=row["instruction"], input=row.get("input") or "", output=row["output"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            message = f"not rows with instruction, input and output: {error!r}"
            raise InputError(Problem(path=str(path), message=message)) from error


def _rows(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        from pyarrow import parquet

        return list(parquet.read_table(path, columns=["instruction", "input", "output"]).to_pylist())
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    return list(json.loads(path.read_text()))

"""Text as rows of token ids: one part to calibrate a quantizer with, another to measure it on."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterlab.config import Source
from clusterlab.errors import InputError, Problem
from jobs.llm.hub import folder_of, only_of
from jobs.llm.instructions import statements

MADE = ("made", "shipped")
"""`made`: sentences that the tiny base knows, from a seed. `shipped`: the text of this package."""
SHIPPED = Path(__file__).with_name("text.txt")

MOST_DRAWS = 4
"""Rows that are drawn for each that is wanted."""

_FILE = "corpus.npz"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Corpus:
    """Rows of token ids; no row of one part is in the other."""

    calibration: Any
    """(num_calibration, row_length), int64."""
    evaluation: Any
    """(num_evaluation, row_length), int64."""

    @classmethod
    def of(
        cls,
        source: Source,
        tokenizer: Any,
        *,
        row_length: int,
        num_calibration: int,
        num_evaluation: int,
        seed: int,
        calibration_env: str = "NUM_CALIBRATION",
    ) -> Corpus:
        """Cut a text into rows.

        `source` is `made`, `shipped`, a folder with `*.txt` or `*.parquet` (column `text`), or a data set on the hub.
        Files whose names begin with `train` calibrate and those that begin with `test` measure, where there are both;
        else the rows of all files are dealt out by the seed. A job that trains on the first part says by
        `calibration_env` which env of its own has the number of rows.

        Raises:
            InputError: the text has fewer rows than are asked for, or a file of it cannot be read.
        """
        counts = (num_calibration, num_evaluation)
        if source == "made":
            rows = _made_rows(tokenizer, row_length, sum(counts), seed)
            parts = rows[:num_calibration], rows[num_calibration:]
        else:
            parts = _dealt(source, tokenizer, row_length, counts, seed)
        for name, part, count in zip((calibration_env, "NUM_EVALUATION"), parts, counts, strict=True):
            if len(part) < count:
                message = f"{source} has {len(part)} rows of {row_length} tokens for that"
                raise InputError(Problem(path=f"{name}={count}", message=message))
        calibration, evaluation = (_tensor(part) for part in parts)
        return cls(calibration=calibration, evaluation=evaluation)

    def save(self, folder: Path) -> None:
        """Write both parts for a process in another environment."""
        import numpy as np

        np.savez(folder / _FILE, calibration=self.calibration.numpy(), evaluation=self.evaluation.numpy())

    @classmethod
    def load(cls, folder: Path) -> Corpus:
        """Read what `save` wrote."""
        import numpy as np
        import torch

        with np.load(folder / _FILE) as arrays:
            return cls(**{name: torch.from_numpy(arrays[name]) for name in ("calibration", "evaluation")})


def _made_rows(tokenizer: Any, row_length: int, count: int, seed: int) -> list[tuple[int, ...]]:
    """Different rows of sentences end to end, as the tiny base was pretrained on, but from other draws."""
    sentences = statements(random.Random(f"corpus {seed}"))
    stream = itertools.chain.from_iterable(
        [*tokenizer(sentence)["input_ids"], tokenizer.eos_token_id] for sentence in sentences
    )
    rows: dict[tuple[int, ...], None] = {}
    # A tokenizer that does not know the words makes the same row of everything.
    for _ in range(MOST_DRAWS * count):
        rows[tuple(itertools.islice(stream, row_length))] = None
        if len(rows) == count:
            break
    return list(rows)


def _dealt(
    source: Source, tokenizer: Any, row_length: int, counts: tuple[int, int], seed: int
) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Rows of the text, the first part shuffled, the second in the order of the text where it has files of its own."""
    texts = {path.name: _read(path) for path in _files(source)}
    train, test = ([text for name, text in texts.items() if name.startswith(split)] for split in ("train", "test"))
    rng = random.Random(seed)
    if train and test:
        calibration, evaluation = (_rows(part, tokenizer, row_length) for part in (train, test))
        rng.shuffle(calibration)
        return calibration[: counts[0]], evaluation[: counts[1]]
    rows = _rows(texts.values(), tokenizer, row_length)
    rng.shuffle(rows)
    return rows[: counts[0]], rows[counts[0] : sum(counts)]


def _rows(texts: Iterable[str], tokenizer: Any, row_length: int) -> list[tuple[int, ...]]:
    """Rows that differ, cut from all texts end to end; what is left over at the end is dropped."""
    ids = tokenizer("\n\n".join(texts), verbose=False)["input_ids"]
    starts = range(0, len(ids) - row_length + 1, row_length)
    return list(dict.fromkeys(tuple(ids[start : start + row_length]) for start in starts))


def _files(source: Source) -> Iterator[Path]:
    if source == "shipped":
        yield SHIPPED
        return
    folder = folder_of(source, "dataset", only=only_of(source, "*"))
    yield from (path for path in sorted(folder.rglob("*")) if path.suffix in (".txt", ".parquet"))


def _read(path: Path) -> str:
    try:
        if path.suffix == ".txt":
            return path.read_text()
        from pyarrow import parquet

        return "\n\n".join(parquet.read_table(path, columns=["text"]).column("text").to_pylist())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(Problem(path=str(path), message=f"no text can be read: {error}")) from error


def _tensor(rows: list[tuple[int, ...]]) -> Any:
    import torch

    return torch.tensor(rows, dtype=torch.int64)

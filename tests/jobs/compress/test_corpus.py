from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch

from clusterlab.config import Source
from clusterlab.errors import InputError
from jobs.compress.corpus import Corpus

WORDS = [f"w{number}" for number in range(50)]


class Words:
    """A tokenizer whose tokens are words."""

    eos_token_id = 1

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": [2 + sum(map(ord, word)) for word in text.split()]}


def _folder(tmp_path: Path, **lengths: int) -> Source:
    for name, length in lengths.items():
        words = random.Random(name).choices(WORDS, k=length)
        (tmp_path / f"{name}.txt").write_text(" ".join(words))
    return Source(str(tmp_path))


def _corpus(source: Source, num_calibration: int = 4, num_evaluation: int = 3, seed: int = 0) -> Corpus:
    return Corpus.of(
        source, Words(), row_length=8, num_calibration=num_calibration, num_evaluation=num_evaluation, seed=seed
    )


def _rows(part: Any) -> set[tuple[int, ...]]:
    return {tuple(row) for row in part.tolist()}


@pytest.mark.parametrize("made", [True, False])
def test_the_two_parts_share_no_row_and_the_seed_decides_them(made: bool, tmp_path: Path) -> None:
    source = Source("made") if made else _folder(tmp_path, one=40, two=40)
    corpus, again, other = (_corpus(source, seed=seed) for seed in (0, 0, 1))
    assert corpus.calibration.shape == (4, 8)
    assert corpus.evaluation.shape == (3, 8)
    assert corpus.calibration.dtype == corpus.evaluation.dtype == torch.int64
    assert not _rows(corpus.calibration) & _rows(corpus.evaluation)
    assert torch.equal(corpus.calibration, again.calibration)
    assert torch.equal(corpus.evaluation, again.evaluation)
    assert not torch.equal(corpus.calibration, other.calibration)


def test_files_of_a_split_calibrate_or_measure_and_the_text_measured_stays_in_its_order(tmp_path: Path) -> None:
    corpus = _corpus(_folder(tmp_path, train=200, test=200, validation=200), num_calibration=25, num_evaluation=25)
    train, test = (Words()((tmp_path / f"{name}.txt").read_text())["input_ids"] for name in ("train", "test"))
    assert corpus.evaluation.flatten().tolist() == test
    assert sorted(map(tuple, corpus.calibration.tolist())) == sorted(zip(*[iter(train)] * 8, strict=True))


@pytest.mark.parametrize(
    ("counts", "name"),
    [({"num_calibration": 11}, "NUM_CALIBRATION=11"), ({"num_evaluation": 7}, "NUM_EVALUATION=7")],
)
def test_too_few_rows_are_an_error_that_names_the_number(counts: dict[str, int], name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"^{name}: .*rows of 8 tokens"):
        _corpus(_folder(tmp_path, one=80), **counts)


def test_a_file_that_is_no_text_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"no parquet")
    with pytest.raises(InputError, match=r"a\.parquet: no text can be read"):
        _corpus(Source(str(tmp_path)))


def test_another_process_reads_the_same_rows(tmp_path: Path) -> None:
    corpus = _corpus(Source("made"))
    corpus.save(tmp_path)
    loaded = Corpus.load(tmp_path)
    assert torch.equal(loaded.calibration, corpus.calibration)
    assert torch.equal(loaded.evaluation, corpus.evaluation)

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

from clusterlab.config import parse
from clusterlab.errors import InputError
from jobs.parallel.settings import Training
from jobs.parallel.tokens import Stream, made_ids, micro_batches


def _config(**values: object) -> Training:
    return parse(Training, {"SCALE": "tiny"} | {key: str(value) for key, value in values.items()})


@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_parts_of_any_number_of_ranks_are_the_same_global_batch(size: int) -> None:
    config = _config(MICRO_BATCH_SIZE=2)
    stream = Stream.of(config)
    parts = [torch.cat(micro_batches(stream, config, 3, rank=rank, size=size)) for rank in range(size)]
    assert torch.equal(torch.cat(parts), stream.rows(16, 8))
    assert {len(each) for each in micro_batches(stream, config, 3, rank=0, size=size)} == {2}


def test_rows_follow_each_other_and_begin_again_at_the_end() -> None:
    stream = Stream(ids=torch.arange(10), row_length=4)
    assert stream.rows(0, 2).tolist() == [[0, 1, 2, 3, 4], [4, 5, 6, 7, 8]]
    assert stream.rows(2, 1).tolist() == [[8, 9, 0, 1, 2]]


def test_the_made_text_follows_from_its_seed() -> None:
    assert made_ids(500, 256, seed=1) == made_ids(500, 256, seed=1)
    assert made_ids(500, 256, seed=1) != made_ids(500, 256, seed=2)


def test_a_folder_of_texts_is_read_as_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("ab" * 50)
    parquet.write_table(pa.table({"text": ["cd" * 30, ""]}), tmp_path / "b.parquet")
    stream = Stream.of(_config(DATA=tmp_path))
    assert bytes(stream.ids.tolist()) == b"ab" * 50 + b"cd" * 30


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"short", "5 tokens, the largest 116; allowed: more than SEQ_LENGTH=64"),
        ("a.csv", b"nothing that is read", "0 tokens, the largest none"),
        ("a.txt", b"\xff" * 100, "neither a text nor a table with a column `text`"),
        ("a.parquet", b"no table", "neither a text nor a table with a column `text`"),
    ],
)
def test_a_text_that_cannot_be_trained_on_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as error:
        Stream.of(_config(DATA=tmp_path))
    assert message in str(error.value)
    assert str(tmp_path) in str(error.value)

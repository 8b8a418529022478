from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from clusterlab.config import parse
from clusterlab.errors import InputError
from jobs.llm.pretrain import byte_level_bpe
from jobs.mixture.text import DIALECTS, SENTENCE, VOCABULARY, Text, kinds_of
from jobs.moe import Config
from jobs.parallel.tokens import SUCCESSORS


def _config(**values: str) -> Config:
    return parse(Config, {"SCALE": "tiny", "STEPS": "4"} | values)


@pytest.fixture(scope="module")
def text() -> Text:
    return Text.of(_config(), num_held_out=16)


def test_no_held_out_row_is_trained_on(text: Text) -> None:
    config = _config()
    assert len(text.held_out.ids) == 16 * config.seq_length + 1
    assert len(text.train.ids) >= config.steps * config.global_batch_size * config.seq_length


def test_a_sentence_begins_with_the_sign_of_its_dialect_and_has_words_of_it(text: Text) -> None:
    said = text.tokenizer.decode(text.held_out.ids).split()
    kinds = [text.names[kind] for kind in text.kinds.ids.tolist()]
    signs = [number for number, word in enumerate(said) if word in DIALECTS]
    assert {later - before for before, later in pairwise(signs)} == {SENTENCE}
    assert all(kinds[number] == said[number] for number in signs)
    assert all(kinds[number + 1 : number + SENTENCE] == kinds[number : number + SENTENCE - 1] for number in signs[:-1])


def test_which_words_may_follow_is_another_matter_in_each_dialect(text: Text) -> None:
    ids = text.train.ids.tolist()
    sign = {name: text.tokenizer.convert_tokens_to_ids(f"Ġ{name}") for name in DIALECTS}
    after = {name: {ids[at + 1] for at, token in enumerate(ids[:-1]) if token == sign[name]} for name in DIALECTS}
    assert all(SUCCESSORS / 2 < len(words) <= SUCCESSORS for words in after.values())
    assert len(set().union(*after.values())) > 4 * SUCCESSORS


def test_the_tokenizer_reads_what_it_says(text: Text) -> None:
    row = text.held_out.rows(0, 1)[0].tolist()
    assert text.tokenizer(text.tokenizer.decode(row))["input_ids"] == row
    assert len(text.tokenizer) == VOCABULARY


def test_a_seed_makes_the_text(text: Text) -> None:
    assert Text.of(_config(), num_held_out=16).held_out.ids.equal(text.held_out.ids)
    assert not Text.of(_config(SEED="1"), num_held_out=16).held_out.ids.equal(text.held_out.ids)


def _write(text: str, folder: Path) -> Any:
    """A text, and a tokenizer of it."""
    (folder / "train.txt").write_text(text)
    tokenizer = byte_level_bpe([text, "the"], vocab_size=300, add_prefix_space=True)
    tokenizer.save_pretrained(folder)
    return tokenizer


def test_tokens_of_any_other_text_are_told_apart_by_their_signs(tmp_path: Path) -> None:
    tokenizer = _write("In 1999 the unforeseeable happened, twice. " * 200, tmp_path)
    config = _config(DATA=str(tmp_path), TOKENIZER=str(tmp_path), MODEL="smollm2-135m")
    other = Text.of(config, num_held_out=4)
    assert other.names == kinds_of(config) == ("begins a word", "goes on in a word", "number", "sign")
    tokens = tokenizer.convert_ids_to_tokens(other.held_out.ids)
    kinds = {token: other.names[kind] for token, kind in zip(tokens, other.kinds.ids.tolist(), strict=True)}
    assert kinds["Ġthe"] == "begins a word"
    assert kinds[","] == "sign"
    assert {kinds[token] for token in tokens if token.strip("Ġ").isdigit()} == {"number"}


def test_more_rows_than_half_of_the_text_are_not_held_out(tmp_path: Path) -> None:
    _write("short " * 300, tmp_path)
    config = _config(DATA=str(tmp_path), TOKENIZER=str(tmp_path), MODEL="smollm2-135m")
    with pytest.raises(InputError, match="NUM_HELD_OUT=9"):
        Text.of(config, num_held_out=9)

from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.config import parse
from clusterlab.errors import InputError
from jobs.mixture.text import Text, kinds_of
from jobs.moe import Config


def _config(**values: str) -> Config:
    return parse(Config, {"SCALE": "tiny", "STEPS": "4"} | values)


@pytest.fixture(scope="module")
def text() -> Text:
    return Text.of(_config(), num_held_out=16)


def test_no_held_out_row_is_trained_on(text: Text) -> None:
    config = _config()
    assert len(text.held_out.ids) == 16 * config.seq_length + 1
    assert len(text.train.ids) >= config.steps * config.global_batch_size * config.seq_length


def test_each_token_is_of_its_sentence_s_relation(text: Text) -> None:
    by_kind: dict[str, list[int]] = {name: [] for name in text.names}
    for token, kind in zip(text.held_out.ids.tolist(), text.kinds.ids.tolist(), strict=True):
        by_kind[text.names[kind]].append(token)
    said = {name: text.tokenizer.decode(tokens) for name, tokens in by_kind.items()}
    assert "capital" in said["capital"]
    assert "Spanish" in said["spanish"]
    assert "yesterday" in said["past"]
    assert not {"capital", "Spanish"} & set(said["plural"].split())


def test_a_seed_makes_the_text(text: Text) -> None:
    assert Text.of(_config(), num_held_out=16).held_out.ids.equal(text.held_out.ids)
    assert not Text.of(_config(SEED="1"), num_held_out=16).held_out.ids.equal(text.held_out.ids)


def test_tokens_of_any_other_text_are_told_apart_by_their_signs(text: Text, tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("In 1999 the unforeseeable happened, twice. " * 200)
    text.tokenizer.save_pretrained(tmp_path)
    config = _config(DATA=str(tmp_path), TOKENIZER=str(tmp_path), MODEL="smollm2-135m")
    other = Text.of(config, num_held_out=4)
    assert other.names == kinds_of(config) == ("begins a word", "goes on in a word", "number", "sign")
    tokens = text.tokenizer.convert_ids_to_tokens(other.held_out.ids)
    kinds = {token: other.names[kind] for token, kind in zip(tokens, other.kinds.ids.tolist(), strict=True)}
    assert kinds["Ġthe"] == "begins a word"
    assert kinds[","] == "sign"
    assert {kinds[token] for token in tokens if token.strip("Ġ").isdigit()} == {"number"}


def test_more_rows_than_half_of_the_text_are_not_held_out(tmp_path: Path, text: Text) -> None:
    (tmp_path / "train.txt").write_text("short " * 300)
    text.tokenizer.save_pretrained(tmp_path)
    config = _config(DATA=str(tmp_path), TOKENIZER=str(tmp_path), MODEL="smollm2-135m")
    with pytest.raises(InputError, match="NUM_HELD_OUT=9"):
        Text.of(config, num_held_out=9)

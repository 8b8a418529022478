from __future__ import annotations

import re
from typing import Any

import pytest
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from clusterlab.errors import InputError
from jobs.llamacpp.vocabulary import (
    BYTE,
    BYTE_LEVEL,
    CONTROL,
    NORMAL,
    SENTENCE_PIECE,
    UNKNOWN,
    UNUSED,
    USER_DEFINED,
    Vocabulary,
)
from tests.jobs.llamacpp.conftest import trained

LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def of_sentence_piece() -> Any:
    """A tokenizer as Llama 2's is in transformers: characters, merged by rank, that fall back to bytes."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    merges = [("\u2581", "t"), ("h", "e"), ("\u2581t", "he"), ("\u2581", "a")]
    letters = ["\u2581", *"thea"]
    vocabulary = {piece: token for token, piece in enumerate([*pieces, *("".join(pair) for pair in merges), *letters])}
    tokenizer = Tokenizer(
        models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in pieces[:3]])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>")


def test_every_row_of_the_model_has_a_token(tokenizer: Any) -> None:
    vocabulary = Vocabulary.of(tokenizer, 330)
    assert vocabulary.model == BYTE_LEVEL
    assert vocabulary.tokens[:320] == tokenizer.convert_ids_to_tokens(range(320))
    assert len(set(vocabulary.tokens)) == len(vocabulary.types) == 330
    assert [vocabulary.types[token] for token in (0, 1, 2, 3, 319, 320, 329)] == [
        *[CONTROL] * 3,
        *[NORMAL] * 2,
        UNUSED,
        UNUSED,
    ]
    assert vocabulary.special_ids == {"pad": 0, "bos": 1, "eos": 2}
    assert (vocabulary.add_bos, vocabulary.add_eos, vocabulary.add_space_prefix) == (False, False, False)


def test_a_token_that_a_user_added_is_told_from_a_control_token() -> None:
    added = trained(pre_tokenizers.ByteLevel(add_prefix_space=False))
    added.add_tokens(["<think>"])
    vocabulary = Vocabulary.of(added, 330)
    assert vocabulary.types[added.convert_tokens_to_ids("<think>")] == USER_DEFINED


def test_merges_are_pairs_of_pieces_best_first(tokenizer: Any) -> None:
    vocabulary = Vocabulary.of(tokenizer, 320)
    assert vocabulary.merges
    assert all(len(merge.split(" ")) == 2 for merge in vocabulary.merges)
    made = [merge.replace(" ", "") for merge in vocabulary.merges]
    assert [vocabulary.tokens.index(token) for token in made] == sorted(
        vocabulary.tokens.index(token) for token in made
    )


@pytest.mark.parametrize(
    ("split", "name"),
    [
        (pre_tokenizers.ByteLevel(add_prefix_space=True), "gpt-2"),
        (
            pre_tokenizers.Sequence(
                [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
            ),
            "smollm",
        ),
        (
            pre_tokenizers.Sequence(
                [
                    pre_tokenizers.Split(Regex(LLAMA_3), behavior="isolated"),
                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
                ]
            ),
            "llama-bpe",
        ),
    ],
    ids=["gpt-2", "smollm", "llama-bpe"],
)
def test_how_words_are_split_has_llama_cpps_name(split: Any, name: str) -> None:
    assert Vocabulary.of(trained(split), 320).split == name


@pytest.mark.parametrize(
    "split",
    [pre_tokenizers.Whitespace(), pre_tokenizers.Sequence([pre_tokenizers.Digits(), pre_tokenizers.ByteLevel()])],
)
def test_a_split_that_llama_cpp_would_do_otherwise_is_refused(split: Any) -> None:
    with pytest.raises(InputError, match=r"model: tokenizer: splits by .*; known: those of GPT-2, SmolLM and Llama 3"):
        Vocabulary.of(trained(split), 320)


def test_a_normalizer_before_bytes_is_refused() -> None:
    lowered = trained(pre_tokenizers.ByteLevel(add_prefix_space=False))
    lowered.backend_tokenizer.normalizer = normalizers.Lowercase()
    with pytest.raises(InputError, match="normalizes by 'Lowercase'"):
        Vocabulary.of(lowered, 320)


def test_a_tokenizer_that_is_no_bpe_is_refused() -> None:
    words = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"a": 0}, unk_token="a")))
    with pytest.raises(InputError, match=re.escape("model: tokenizer: is 'WordLevel'; known: BPE")):
        Vocabulary.of(words, 1)


def test_more_tokens_than_rows_are_refused(tokenizer: Any) -> None:
    with pytest.raises(InputError, match="has the token id 319; the model has 319 rows"):
        Vocabulary.of(tokenizer, 319)


def test_sentence_piece_is_told_by_scores() -> None:
    tokenizer = of_sentence_piece()
    vocabulary = Vocabulary.of(tokenizer, 268)
    assert (vocabulary.model, vocabulary.split, vocabulary.merges) == (SENTENCE_PIECE, "default", [])
    assert vocabulary.scores[259:263] == [0.0, -1.0, -2.0, -3.0]
    assert [vocabulary.types[token] for token in (0, 1, 3, 258, 259)] == [UNKNOWN, CONTROL, BYTE, BYTE, NORMAL]
    assert (vocabulary.add_bos, vocabulary.add_eos, vocabulary.add_space_prefix) == (True, False, True)

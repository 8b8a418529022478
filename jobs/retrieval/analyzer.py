"""Terms of a text as Lucene's analyzer for English makes them: words, lower case, no stop words, Porter's stems.

Words are cut by UAX #29 as in `StandardTokenizer`, for scripts that have letters and spaces; an ideograph is a word,
and so is an emoji.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

STOP_WORDS = frozenset(
    "a an and are as at be but by for if in into is it no not of on or such that the their then there these they this "  # noqa: SIM905
    "to was will with".split()
)
"""Lucene's `EnglishAnalyzer.ENGLISH_STOP_WORDS_SET`."""
LONGEST = 255
"""Letters of a word; a longer one is cut into several, as `StandardTokenizer` does."""
_MARK = "[\u0300-\u036f\u00ad\u200c\u200d\u20d0-\u20ff\ufe00-\ufe0f]*"
_IDEOGRAPH = "\u3040-\u309f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_EMOJI = "\u2600-\u27bf\u2b50\u2b55\U0001f300-\U0001faff"
_NO_DIGIT = "\u00b2\u00b3\u00b9\u00bc-\u00be\u2070-\u2089\u2150-\u215f\u2460-\u249b"
"""What Python takes for letters of words and UAX #29 does not, such as a superscript."""
_LETTER, _DIGIT = rf"[^\W\d_{_NO_DIGIT}{_IDEOGRAPH}]", r"\d"
_BETWEEN_LETTERS, _BETWEEN_DIGITS = (
    "[.'\u2018\u2019:\u00b7\u2024\u2027\uff0e\uff07]",
    "[.,;'\u2018\u2019\u2024\u066c\uff0c\uff0e]",
)
_WORD = re.compile(
    rf"[{_IDEOGRAPH}{_EMOJI}]|(?:{_LETTER}|{_DIGIT}|_){_MARK}(?:"
    rf"(?:{_LETTER}|{_DIGIT}|_){_MARK}|(?<={_LETTER}){_BETWEEN_LETTERS}(?={_LETTER})"
    rf"|(?<={_DIGIT}){_BETWEEN_DIGITS}(?={_DIGIT}))*"
)
_DEPARTS = re.compile(r"bl[iy]|log[iy]|([chjkqvwx])\1(ed|ing)")
_POSSESSIVE = re.compile("['\u2019\uff07][sS]$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What many texts consist of: the terms of all, by text, as numbers of the vocabulary."""

    ids: Any
    """int32, the terms of all texts one after the other."""
    offsets: Any
    """int64, where each text begins, and the end of the last."""
    vocabulary: dict[str, int]


@dataclass(kw_only=True, slots=True)
class Analyzer:
    """Remembers what it made of each piece of text between spaces, of which a large corpus has few."""

    _known: dict[str, list[str]] = field(default_factory=dict)
    _stems: dict[str, str] = field(default_factory=dict)

    def terms(self, text: str) -> list[str]:
        """The terms of one text, in their order."""
        return [term for piece in text.split() for term in self._piece(piece)]

    def all_terms(self, texts: Sequence[str]) -> Terms:
        """The terms of many texts.

        Texts are cut at spaces, which no word contains, and each piece that is new is looked at once; so most of the
        work is Arrow's, and a corpus takes a fraction of what it takes word by word.
        """
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        pieces = pc.utf8_split_whitespace(pa.array(texts, pa.large_string()))
        encoded = pc.dictionary_encode(pieces.values)
        places, lengths, flat, vocabulary = _by_piece([self._piece(text) for text in encoded.dictionary.to_pylist()])
        which = np.asarray(encoded.indices)
        counts = lengths[which]
        ends = np.cumsum(counts)
        # The terms of a piece stand together in `flat`: from where its own begin, one after the other.
        within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
        ids = flat[np.repeat(places[which], counts) + within]
        starts = np.concatenate([[0], ends])
        return Terms(ids=ids, offsets=starts[np.asarray(pieces.offsets)], vocabulary=vocabulary)

    def _piece(self, piece: str) -> list[str]:
        if piece not in self._known:
            words = [word for word in _WORD.findall(piece) if word.strip("_")]
            parts = [word[at : at + LONGEST] for word in words for at in range(0, len(word), LONGEST)]
            lower = [_POSSESSIVE.sub("", part).lower() for part in parts]
            self._known[piece] = [self._stem(word) for word in lower if word not in STOP_WORDS]
        return self._known[piece]

    def _stem(self, word: str) -> str:
        if word not in self._stems:
            self._stems[word] = _porter(word)
        return self._stems[word]


def _porter(word: str) -> str:
    """Lucene's stem, which is that of Martin Porter's own program: it departs from his paper in two rules.

    Snowball's is the paper's, and many times as fast; NLTK knows the departures. They concern what ends in `bli` or
    `logi` at some step; and Snowball leaves some double letters. Other words have the same stem by both.
    """
    if len(word) <= 2:
        return word
    snowball, nltk = _stemmers()
    return str(nltk.stem(word, to_lowercase=False) if _DEPARTS.search(word) else snowball.stemWord(word))


@cache
def _stemmers() -> tuple[Any, Any]:
    from nltk.stem.porter import PorterStemmer
    from Stemmer import Stemmer

    # Each text between spaces is looked at once, so that a cache of its own would only take memory.
    return Stemmer("porter", 0), PorterStemmer(mode=PorterStemmer.MARTIN_EXTENSIONS)


def _by_piece(terms: list[list[str]]) -> tuple[Any, Any, Any, dict[str, int]]:
    """Where the terms of each piece begin, how many they are, all of them as numbers, and the vocabulary."""
    import numpy as np

    vocabulary: dict[str, int] = {}
    flat = [vocabulary.setdefault(term, len(vocabulary)) for piece in terms for term in piece]
    lengths = np.fromiter(map(len, terms), np.int64, len(terms))
    return np.cumsum(lengths) - lengths, lengths, np.array(flat, np.int32), vocabulary

"""What one request asks of a model, and the pieces that it answers in, whatever the protocol and the engine."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Finish(StrEnum):
    """Why an answer ended, in TGI's words."""

    LENGTH = "length"
    """It has the number of tokens that was asked for at most."""
    EOS = "eos_token"
    """The model ended it."""
    STOP = "stop_sequence"
    """Its text came to one of the request's stop sequences."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One answer, to one prompt of token ids."""

    prompt: tuple[int, ...]
    max_tokens: int
    """Of the answer, 1 or more."""
    min_tokens: int = 0
    """The model cannot end its answer before."""
    ignore_eos: bool = False
    """Whether it goes on after the model would have ended: then it has `max_tokens`, if nothing of `stop` comes."""
    temperature: float = 0.0
    """0 takes the likeliest token, always."""
    top_p: float = 1.0
    """Tokens are drawn from the likeliest ones that together have this probability,"""
    top_k: int = 0
    """and from this many at most; 0 is all."""
    seed: int | None = None
    """The same seed draws the same tokens, whatever else is in the batch."""
    stop: tuple[str, ...] = ()
    """Texts that end the answer."""
    keep_stop: bool = False
    """Whether the text that ended it is part of it, as in TGI's protocol."""
    streamed: bool = False
    """Whether each token is a piece; else the whole answer is one."""
    num_top: int | None = None
    """Log-probabilities are wanted, of each token and of so many of the likeliest; None is of none."""
    adapter: str | None = None
    """Which of the model's adapters answers; None is the base."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """A token of the vocabulary and its log-probability, before temperature and the like."""

    id: int
    logprob: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """The next part of an answer: pieces joined are all of it."""

    tokens: tuple[int, ...]
    text: str
    """Not always that of `tokens`: half a letter waits for its other half, the begin of a stop sequence for its end."""
    finish: Finish | None = None
    """Only the last piece has one."""
    logprobs: tuple[float, ...] = ()
    """Of the tokens, where they are wanted."""
    tops: tuple[tuple[Token, ...], ...] = ()
    """The likeliest tokens in the place of each, where any are wanted."""

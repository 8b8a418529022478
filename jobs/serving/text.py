"""Text of an answer while its tokens come: whole letters only, and nothing of a stop sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Text:
    """What can be said so far of an answer whose tokens come one by one."""

    def __init__(self, tokenizer: Any, *, stop: Sequence[str], keep_stop: bool) -> None:
        from tokenizers.decoders import DecodeStream

        self._tokenizer = tokenizer.backend_tokenizer
        self._letters = DecodeStream(skip_special_tokens=True)
        self._stop, self._keep_stop = tuple(stop), keep_stop
        self._held = ""
        self._tokens: list[int] = []
        self._num_letters = 0
        self.stopped = False
        """Whether a stop sequence came."""

    def add(self, token: int) -> str:
        """The text that a token makes sure of; none while it may be the begin of a letter or of a stop sequence."""
        self._tokens.append(token)
        new: str | None = self._letters.step(self._tokenizer, token)
        if not new:
            return ""
        self._num_letters += len(new)
        said, self._held = self._held + new, ""
        if (end := self._end(said)) is not None:
            self.stopped = True
            return said[:end]
        held = max((_overlap(said, stop) for stop in self._stop), default=0)
        self._held = said[len(said) - held :]
        return said[: len(said) - held]

    def rest(self) -> str:
        """What was held back when the answer ended for another reason."""
        held, self._held = self._held, ""
        whole: str = self._tokenizer.decode(self._tokens, skip_special_tokens=True)
        return held + whole[self._num_letters :]

    def _end(self, said: str) -> int | None:
        """Where the answer ends by the stop sequence that comes first."""
        found = [(at, stop) for stop in self._stop if (at := said.find(stop)) >= 0]
        if not found:
            return None
        at, stop = min(found)
        return at + len(stop) if self._keep_stop else at


def _overlap(text: str, stop: str) -> int:
    """How many letters at the end of a text are the begin of a stop sequence."""
    lengths = range(min(len(text), len(stop) - 1), 0, -1)
    return next((length for length in lengths if text.endswith(stop[:length])), 0)

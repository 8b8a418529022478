"""The rows of one batch while `generate` runs: what each may say next, what it said, and when it has ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jobs.serving.asked import Asked, Finish, Piece, Token
from jobs.serving.text import Text

Deliver = Callable[[Mapping[int, Piece]], None]
"""Takes the pieces that one step made, by the row's number."""


class Rows:
    """Both a logits processor and a stopping criterion of transformers, called in turn, once for each token."""

    def __init__(
        self,
        batch: Sequence[Asked],
        tokenizer: Any,
        ends: Sequence[int],
        *,
        gone: Callable[[int], bool],
        deliver: Deliver,
    ) -> None:
        self._rows = [_Row(asked, tokenizer, ends) for asked in batch]
        self._ends, self._gone, self._deliver = list(ends), gone, deliver

    def process(self, _: Any, scores: Any) -> Any:
        """Before a token is chosen: scores of shape (rows, vocabulary), whose greatest is then taken."""
        for number, row in enumerate(self._rows):
            if row.done:
                continue
            if row.asked.num_top is not None:
                row.note(scores[number])
            if len(row.tokens) < row.asked.min_tokens and self._ends:
                scores[number, self._ends] = -float("inf")
            if row.asked.temperature > 0:
                scores[number] = row.drawn(scores[number])
        return scores

    def stop(self, ids: Any, _: Any) -> Any:
        """After it was: ids of shape (rows, all tokens so far). Says of each row whether it has ended."""
        import torch

        pieces: dict[int, Piece] = {}
        for number, token in enumerate(ids[:, -1].tolist()):
            row = self._rows[number]
            if row.done:
                continue
            if self._gone(number):
                row.done = True
                continue
            piece = row.take(token)
            if piece is not None:
                pieces[number] = piece
        if pieces:
            self._deliver(pieces)
        return torch.tensor([row.done for row in self._rows], device=ids.device)


class _Row:
    """One answer."""

    def __init__(self, asked: Asked, tokenizer: Any, ends: Sequence[int]) -> None:
        import torch

        self.asked = asked
        self.done = False
        self.tokens: list[int] = []
        self._tokenizer, self._ends = tokenizer, frozenset(ends)
        self._logprobs: list[float] = []
        self._tops: list[tuple[Token, ...]] = []
        self._said: list[str] = []
        self._num_sent = 0
        self._noted: Any = None
        seed = int(torch.randint(2**31, ())) if asked.seed is None else asked.seed
        self._random = torch.Generator().manual_seed(seed)
        # Text step by step costs more than at once, so only where somebody looks at it meanwhile.
        watched = asked.streamed or asked.stop
        self._text = Text(tokenizer, stop=asked.stop, keep_stop=asked.keep_stop) if watched else None

    def note(self, scores: Any) -> None:
        """Keep the log-probabilities of the next token, as the model gives them."""
        self._noted = scores.float().log_softmax(-1)

    def drawn(self, scores: Any) -> Any:
        """Scores whose greatest is a token drawn from their distribution (the Gumbel-max trick)."""
        import torch

        scores = scores.float() / self.asked.temperature
        if 0 < self.asked.top_k < len(scores):
            scores[scores < scores.topk(self.asked.top_k).values[-1]] = -float("inf")
        if self.asked.top_p < 1:
            ordered, order = scores.softmax(-1).sort(descending=True)
            before = ordered.cumsum(-1) - ordered
            scores[order[before >= self.asked.top_p]] = -float("inf")
        # On the CPU, so that a seed means the same on every machine.
        uniform = torch.rand(len(scores), generator=self._random).clamp_min(torch.finfo(torch.float32).tiny)
        return scores - (-uniform.log()).log().to(scores.device)

    def take(self, token: int) -> Piece | None:
        """One token more; the piece that it makes, if it makes one."""
        self.tokens.append(token)
        if self._noted is not None:
            self._logprobs.append(float(self._noted[token]))
            likeliest = self._noted.topk(min(self.asked.num_top or 0, len(self._noted)))
            pairs = zip(likeliest.indices.tolist(), likeliest.values.tolist(), strict=True)
            self._tops.append(tuple(Token(id=each, logprob=logprob) for each, logprob in pairs))
        if self._text is not None:
            self._said.append(self._text.add(token))
        finish = self._finish(token)
        self.done = finish is not None
        return self._piece(finish) if self.done or self.asked.streamed else None

    def _finish(self, token: int) -> Finish | None:
        if token in self._ends and not self.asked.ignore_eos:
            return Finish.EOS
        if self._text is not None and self._text.stopped:
            return Finish.STOP
        return Finish.LENGTH if len(self.tokens) >= self.asked.max_tokens else None

    def _piece(self, finish: Finish | None) -> Piece:
        """What was not sent yet."""
        if self._text is None:
            said = str(self._tokenizer.decode(self.tokens, skip_special_tokens=True))
        else:
            rest = "" if finish in (None, Finish.STOP) else self._text.rest()
            said = "".join(self._said) + rest
        begin, self._num_sent, self._said = self._num_sent, len(self.tokens), []
        return Piece(
            tokens=tuple(self.tokens[begin:]),
            text=said,
            finish=finish,
            logprobs=tuple(self._logprobs[begin:]),
            tops=tuple(self._tops[begin:]) if self.asked.num_top else (),
        )

"""Serve a trace out of one memory: admit while there is room, a token for each a step, preempt where there is none."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from jobs.paging.memory import Memory, Usage
from jobs.paging.trace import Request


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """What it took, over the steps at whose beginning a request still waited for memory."""

    usage: Usage
    """Sums over these steps."""
    mean_batch: float
    """Requests that ran at once."""
    num_preemptions: int
    recomputed: float
    """Tokens that were computed again after a preemption, for each token of the trace."""


@dataclass(kw_only=True, slots=True)
class _Sequence:
    """One request on its way."""

    name: int
    request: Request
    num_tokens: int

    @property
    def is_finished(self) -> bool:
        return self.num_tokens == self.request.total_tokens


class _Server:
    """Requests that wait, in order of arrival, and requests that run, in order of admission."""

    def __init__(self, requests: Sequence[Request], memory: Memory) -> None:
        self._memory = memory
        self.running: list[_Sequence] = []
        self.waiting = deque(
            _Sequence(name=name, request=request, num_tokens=request.prompt_tokens)
            for name, request in enumerate(requests)
        )
        self.num_preemptions = 0
        self.num_recomputed = 0

    def admit(self) -> None:
        """First come, first served: a request that does not fit holds up those behind it."""
        while self.waiting:
            first = self.waiting[0]
            if not self._memory.admit(first.name, first.request, first.num_tokens):
                return
            self.running.append(self.waiting.popleft())

    def step(self) -> None:
        """Every request that runs gets one token; those that are finished leave."""
        place = 0
        while place < len(self.running):
            sequence = self.running[place]
            if self._memory.append(sequence.name):
                sequence.num_tokens += 1
                place += 1
            else:
                self._preempt()
        for sequence in self.running:
            if sequence.is_finished:
                self._memory.release(sequence.name)
        self.running = [sequence for sequence in self.running if not sequence.is_finished]

    def _preempt(self) -> None:
        """The request that was admitted last gives up its memory; it is the next to come back, and is computed anew."""
        last = self.running.pop()
        self._memory.release(last.name)
        self.num_preemptions += 1
        self.num_recomputed += last.num_tokens
        self.waiting.appendleft(last)


def serve(requests: Sequence[Request], memory: Memory) -> Served:
    """Serve all requests, which arrive at once; the memory must hold any one of them alone.

    This is continuous batching: a request that is finished leaves its place to the next in the same step.

    Raises:
        ValueError: the memory never held more requests than fit, so nothing waited and nothing was measured.
    """
    server = _Server(requests, memory)
    usage = Usage(tokens=0, reserved=0, internal=0, external=0, free=0)
    num_steps = batch = 0
    while server.waiting or server.running:
        server.admit()
        if server.waiting:
            usage += memory.usage(server.waiting[0].request)
            num_steps += 1
            batch += len(server.running)
        server.step()
    if num_steps == 0:
        raise ValueError(f"{len(requests)} requests fit all at once: nothing to measure")
    return Served(
        usage=usage,
        mean_batch=batch / num_steps,
        num_preemptions=server.num_preemptions,
        recomputed=server.num_recomputed / sum(request.total_tokens for request in requests),
    )

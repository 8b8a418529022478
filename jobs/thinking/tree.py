"""Tree of Thoughts (Yao et al., 2023) on Game of 24: steps are proposed, states valued, and the best gone on with.

The model proposes and values; the program keeps the numbers that are left, the frontier and the limits. It does not
compute: a step's result is what the model wrote, and only the referee, at the end, finds out that it was wrong.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from jobs.thinking import game24
from jobs.thinking.client import Client, Reply
from jobs.thinking.game24 import TARGET, State, Step
from jobs.thinking.journal import Attempt
from jobs.thinking.wording import Words, worth

BREADTH_FIRST, DEPTH_FIRST = "game24_tot_bfs", "game24_tot_dfs"

Path = tuple[Step, ...]
Node = tuple[State, Path]
"""What is left, and the steps that led there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """How much of a tree is looked at."""

    breadth: int
    """Of breadth first: states that are gone on with at each depth."""
    num_proposals: int
    """Steps that are drawn from the model for a state; equal ones count once."""
    num_judgements: int
    """Drawn for a state, whose mean is its value."""
    temperature: float
    threshold: float
    """Of depth first: a state of a lower value, from 0 to 1, is not gone on with."""
    max_states: int
    """That are opened for a puzzle, at most."""


@dataclass(kw_only=True, slots=True)
class Search:
    """One puzzle in one tree."""

    client: Client
    words: Words
    shape: Shape
    seed: int
    opened: int = 0
    """States that steps were asked for."""
    _replies: list[Reply] = field(default_factory=list)
    _values: dict[State, float] = field(default_factory=dict)
    _drawn: Counter[Path] = field(default_factory=Counter)
    """How often the last step of a path was drawn."""
    _from: dict[Path, float] = field(default_factory=dict)
    """The value of the state before it."""

    async def attempt(self, method: str, number: int, numbers: Sequence[int]) -> Attempt:
        """Search, and have the referee judge what was found."""
        search = {BREADTH_FIRST: self.breadth_first, DEPTH_FIRST: self.depth_first}[method]
        path = await search(game24.state_of(numbers))
        return Attempt(
            method=method,
            problem=number,
            right=game24.judge(numbers, path or ()),
            said=list(map(str, path or ())),
            prompt_tokens=sum(reply.prompt_tokens for reply in self._replies),
            new_tokens=sum(reply.new_tokens for reply in self._replies),
            requests=len(self._replies),
            parsed=path is not None,
        )

    async def breadth_first(self, state: State) -> Path | None:
        """Depth by depth the `breadth` best states; the best that is 24 at the end, as the model has it."""
        frontier: list[Node] = [(state, ())]
        for _ in range(len(state) - 1):
            allowed = frontier[: max(0, self.shape.max_states - self.opened)]
            children = await asyncio.gather(*(self._children(*node) for node in allowed))
            ranked = await self._ranked([node for found in children for node in found])
            # Of ways to one state the best.
            frontier = list({node[0]: node for node in reversed(ranked)}.values())[::-1][: self.shape.breadth]
        return next((path for last, path in frontier if last == (TARGET,)), None)

    async def depth_first(self, state: State) -> Path | None:
        """The best child first; back where a state's value is below the threshold, or nothing was found behind it."""
        return await self._deeper(state, ())

    async def _deeper(self, state: State, path: Path) -> Path | None:
        if len(state) == 1:
            return path if state == (TARGET,) else None
        if self.opened >= self.shape.max_states:
            return None
        for child, child_path in await self._ranked(await self._children(state, path)):
            if self._values[child] >= self.shape.threshold:
                found = await self._deeper(child, child_path)
                if found is not None:
                    return found
        return None

    async def _ranked(self, nodes: Sequence[Node]) -> list[Node]:
        """The best first; of equal values the one that comes from a better state, then whose step was drawn more often.

        A wrong step to 24 looks as good as a right one, but it is rarely drawn twice.
        """
        await self._valued(state for state, _ in nodes)
        return sorted(nodes, key=lambda node: (-self._values[node[0]], -self._from[node[1]], -self._drawn[node[1]]))

    async def _children(self, state: State, path: Path) -> list[Node]:
        """The states that proposed steps lead to; a step with numbers that are not left is none."""
        self.opened += 1
        reply = await self._ask("step", self.words.step(state), self.shape.num_proposals)
        found: dict[Path, State] = {}
        for text in reply.texts:
            step = Step.parse(text.strip().splitlines()[0].strip(" `-*")) if text.strip() else None
            child = None if step is None else game24.after(state, step)
            if step is not None and child is not None:
                longer = (*path, step)
                found[longer], self._from[longer] = child, self._values.get(state, 1)
                self._drawn[longer] += 1
        return [(child, longer) for longer, child in found.items()]

    async def _valued(self, states: Iterable[State]) -> None:
        """Have a value of each state, asked for once; one number is worth 1 where it is 24."""
        new = sorted({state for state in states if state not in self._values})
        for state, value in zip(new, await asyncio.gather(*map(self._value, new)), strict=True):
            self._values[state] = value

    async def _value(self, state: State) -> float:
        if len(state) == 1:
            return float(state[0] == TARGET)
        reply = await self._ask("value", self.words.value(state), self.shape.num_judgements)
        worths = [worth(text) or 0.0 for text in reply.texts]
        return sum(worths) / len(worths)

    async def _ask(self, stage: str, prompt: str, num_answers: int) -> Reply:
        temperature = self.shape.temperature
        asked = self.words.asked(stage, prompt, num_answers=num_answers, temperature=temperature, seed=self.seed)
        reply = await self.client.ask(asked)
        self._replies.append(reply)
        return reply

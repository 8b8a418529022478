"""What the ways to think came to: how often each is right, what a right answer took, and what is certain of a gain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from jobs.thinking.chains import CHAIN_24, DIRECT, THOUGHT, VOTE, sizes
from jobs.thinking.journal import Attempt
from jobs.thinking.paired import accuracy_interval, gain_interval, mcnemar
from jobs.thinking.tree import BREADTH_FIRST, DEPTH_FIRST

LABELS = {
    DIRECT: "word problems: answer at once",
    THOUGHT: "word problems: chain of thought",
    VOTE: "word problems: self-consistency",
    CHAIN_24: "Game of 24: chain of thought",
    BREADTH_FIRST: "Game of 24: tree, breadth first",
    DEPTH_FIRST: "Game of 24: tree, depth first",
}
"""Of all methods, in the order in which they are tried."""
PAIRS = ((DIRECT, THOUGHT), (THOUGHT, VOTE), (CHAIN_24, BREADTH_FIRST), (CHAIN_24, DEPTH_FIRST))
"""Of which the second should be better."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Method:
    """One way to think, over all its problems."""

    name: str
    attempts: Sequence[Attempt]
    usd: float
    """What the machine cost in the time that it took."""

    @property
    def num_right(self) -> int:
        """Problems that were answered rightly."""
        return sum(attempt.right for attempt in self.attempts)

    @property
    def accuracy(self) -> float:
        """Their share."""
        return self.num_right / len(self.attempts)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % of it."""
        return accuracy_interval(self.num_right, len(self.attempts))

    @property
    def new_tokens(self) -> float:
        """That were written for a problem."""
        return sum(attempt.new_tokens for attempt in self.attempts) / len(self.attempts)

    @property
    def prompt_tokens(self) -> float:
        """That were read for a problem, those of one request once."""
        return sum(attempt.prompt_tokens for attempt in self.attempts) / len(self.attempts)

    @property
    def tokens_per_right(self) -> float | None:
        """That were written for a right answer; None where there is none."""
        return self.new_tokens * len(self.attempts) / self.num_right if self.num_right else None

    @property
    def usd_per_thousand_right(self) -> float | None:
        """That a thousand right answers took; None where there is none."""
        return 1000 * self.usd / self.num_right if self.num_right else None

    @property
    def num_unparsed(self) -> int:
        """Attempts without an answer in them."""
        return sum(not attempt.parsed for attempt in self.attempts)

    def votes(self) -> list[tuple[int, float, float]]:
        """Of self-consistency: answers that vote, tokens written for them (in proportion), and accuracy."""
        of_each = [attempt.votes for attempt in self.attempts]
        counts = sizes(len(self.attempts[0].said)) if of_each[0] else []
        return [
            (count, self.new_tokens * count / counts[-1], sum(votes[place] for votes in of_each) / len(of_each))
            for place, count in enumerate(counts)
        ]


def methods_of(attempts: Sequence[Attempt], usd_of: Callable[[float], float]) -> dict[str, Method]:
    """The methods that there are attempts of; `usd_of` is what the machine costs in so many seconds."""
    found = {}
    for name in LABELS:
        own = sorted((each for each in attempts if each.method == name), key=lambda each: each.problem)
        if own:
            found[name] = Method(name=name, attempts=own, usd=usd_of(sum(each.seconds for each in own)))
    return found


def gains(methods: Mapping[str, Method], *, seed: int) -> dict[str, dict[str, float]]:
    """Of each method that should be better: its gain in accuracy, the 95 % interval, the p-value and the tokens' ratio.

    Only problems count that both have an attempt of.
    """
    found = {}
    for worse, better in PAIRS:
        if worse not in methods or better not in methods:
            continue
        by_problem = [{each.problem: each.right for each in methods[name].attempts} for name in (worse, better)]
        common = sorted(by_problem[0].keys() & by_problem[1].keys())
        if not common:
            continue
        first, second = ([rights[number] for number in common] for rights in by_problem)
        low, high = gain_interval(first, second, seed=seed)
        found[better] = {
            "gain": (sum(second) - sum(first)) / len(common),
            "low": low,
            "high": high,
            "p": mcnemar(first, second),
            "tokens": methods[better].new_tokens / methods[worse].new_tokens,
        }
    return found


def metrics_of(methods: Mapping[str, Method], *, seed: int) -> dict[str, float]:
    """What goes into the run's record; without what a right answer took where there was none."""
    found: dict[str, float] = {}
    for name, method in methods.items():
        found |= {
            f"accuracy_{name}": method.accuracy,
            f"new_tokens_{name}": method.new_tokens,
            f"unparsed_{name}": method.num_unparsed / len(method.attempts),
            f"seconds_{name}": sum(each.seconds for each in method.attempts),
        }
        costs = {"tokens_per_right": method.tokens_per_right, "usd_per_thousand_right": method.usd_per_thousand_right}
        found |= {f"{cost}_{name}": value for cost, value in costs.items() if value is not None}
        found |= {f"accuracy_{name}_at_{count}": accuracy for count, _, accuracy in method.votes()}
    for name, gain in gains(methods, seed=seed).items():
        found |= {f"gain_{name}": gain["gain"], f"gain_{name}_low": gain["low"], f"gain_{name}_high": gain["high"]}
        found |= {f"p_{name}": gain["p"], f"tokens_ratio_{name}": gain["tokens"]}
    return found

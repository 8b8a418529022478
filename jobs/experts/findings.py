"""What the controllers came to: valid plans, right plans, right models, right answers, and where it went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from jobs.experts.controllers import KEYWORDS, MODEL, RIGHT, UNROUTED
from jobs.experts.requests import Shape
from jobs.experts.routing import Outcome, Routed
from jobs.thinking.paired import accuracy_interval

LABELS = {
    RIGHT: "right plan, right models",
    UNROUTED: "right plan, any model for the task",
    KEYWORDS: "keywords",
    MODEL: "language model",
}
"""Of all controllers, in the order in which they are tried."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Some attempts of one controller."""

    name: str
    attempts: Sequence[Routed]

    def of(self, shape: Shape) -> Found:
        """Those of one shape."""
        return Found(name=self.name, attempts=[each for each in self.attempts if each.shape == shape])

    def share(self, counted: Callable[[Routed], bool]) -> float:
        """Of the attempts."""
        return sum(map(counted, self.attempts)) / len(self.attempts)

    @property
    def valid(self) -> float:
        """Share of plans that can be carried out."""
        return self.share(lambda each: each.parsed)

    @property
    def planned(self) -> float:
        """Share of plans that mean the same as the right one: accuracy in the paper's table of single tasks."""
        return self.share(lambda each: each.planned)

    def planned_if(self, *, new: bool) -> float | None:
        """The same of combinations that no lesson had, or of the others; None where there are none."""
        some = [each for each in self.attempts if each.new is new]
        return sum(each.planned for each in some) / len(some) if some else None

    @property
    def success(self) -> float:
        """Share of requests whose answers are all right."""
        return self.share(lambda each: each.right)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % of it."""
        return accuracy_interval(sum(each.right for each in self.attempts), len(self.attempts))

    @property
    def tasks(self) -> tuple[float, float, float]:
        """Precision, recall and F1 of the plans' tasks, of all requests together."""
        both = sum((Counter(each.tasks) & Counter(each.right_tasks)).total() for each in self.attempts)
        planned, right = (sum(map(len, tasks)) for tasks in self._tasks())
        precision, recall = both / planned if planned else 0.0, both / right
        return precision, recall, 2 * both / (planned + right)

    @property
    def edit_distance(self) -> float:
        """Between a plan's tasks and the right ones, over the longer of the two; the mean, from 0 to 1."""
        pairs = zip(*self._tasks(), strict=True)
        distances = [edit_distance(*pair) / max(map(len, pair)) for pair in pairs]
        return sum(distances) / len(distances)

    @property
    def routed(self) -> float:
        """Share of the right plans' steps that are there and have the right model."""
        return self._steps(lambda each: each.num_routed) / self._steps(lambda each: len(each.right_tasks))

    @property
    def selected(self) -> float | None:
        """The same of the steps that are there; None where none is."""
        matched = self._steps(lambda each: each.num_matched)
        return self._steps(lambda each: each.num_routed) / matched if matched else None

    @property
    def outcomes(self) -> Counter[str]:
        """How many ended how."""
        return Counter(each.outcome for each in self.attempts)

    @property
    def hits(self) -> float | None:
        """Share of the steps whose model was in the replica; None where no step was asked."""
        asked = self._steps(lambda each: each.num_asked)
        return 1 - self._steps(lambda each: each.num_loaded) / asked if asked else None

    @property
    def tokens(self) -> float:
        """Read and written for a request."""
        return self._steps(lambda each: each.prompt_tokens + each.new_tokens) / len(self.attempts)

    def _steps(self, number: Callable[[Routed], int]) -> int:
        return sum(map(number, self.attempts))

    def _tasks(self) -> tuple[list[list[str]], list[list[str]]]:
        return [each.tasks for each in self.attempts], [each.right_tasks for each in self.attempts]


def found_of(attempts: Sequence[Routed]) -> dict[str, Found]:
    """By controller, those that there are attempts of."""
    found = {name: [each for each in attempts if each.method == name] for name in LABELS}
    return {name: Found(name=name, attempts=own) for name, own in found.items() if own}


def metrics_of(found: Mapping[str, Found]) -> dict[str, float]:
    """What goes into the run's record."""
    metrics: dict[str, float] = {}
    for name, one in found.items():
        metrics |= {f"valid_{name}": one.valid, f"routing_{name}": one.routed, f"success_{name}": one.success}
        metrics |= {f"plan_accuracy_{name}": one.planned, f"task_f1_{name}": one.tasks[2]}
        optional = {"selection": one.selected, "hits": one.hits}
        optional |= {"plan_accuracy_known": one.planned_if(new=False), "plan_accuracy_new": one.planned_if(new=True)}
        metrics |= {f"{key}_{name}": value for key, value in optional.items() if value is not None}
        for shape in Shape:
            part = one.of(shape)
            if part.attempts:
                metrics |= {f"plan_accuracy_{name}_{shape}": part.planned, f"success_{name}_{shape}": part.success}
        wrong = [outcome for outcome in Outcome if outcome is not Outcome.RIGHT]
        metrics |= {f"{outcome.name.lower()}_{name}": one.outcomes[outcome] / len(one.attempts) for outcome in wrong}
    return metrics


def edit_distance(first: Sequence[str], second: Sequence[str]) -> int:
    """Levenshtein's: how many insertions, deletions and replacements lead from one to the other."""
    row = list(range(len(second) + 1))
    for number, left in enumerate(first, 1):
        before, row[0] = row[0], number
        for place, right in enumerate(second, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (left != right))
    return row[-1]

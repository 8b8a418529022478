"""What the answers came to: right ones in each view, of small and of large things, and what tokens a picture took."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.thinking.paired import accuracy_interval, gain_interval, mcnemar
from jobs.vision.questions import OPTIONS, Kind
from jobs.vision.views import OWN, SERVED, Answered, View

LABELS = {
    View.TILES: "as it is, in tiles",
    View.ONE_TILE: "reduced to one tile",
    View.SWAPPED: "another picture",
    View.BLANK: "an empty picture",
    SERVED: "as it is, by vLLM",
    OWN: "own pictures",
}
"""Of all ways in which a picture was shown."""
IN_DETAIL = (Kind.SHAPE, Kind.COLOUR)
"""Questions that one must know the outline of a thing for."""
PAIRS = ((View.SWAPPED, View.TILES, "looks", ("",)), (View.ONE_TILE, View.TILES, "tiles", ("", "small", "large")))
"""The worse, the better, what the difference shows, and of which answers it is taken: all, or outlines of a size."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Some answers in one view."""

    answers: Sequence[Answered]

    def of(self, kept: Callable[[Answered], bool]) -> Found:
        """Some of them."""
        return Found(answers=[each for each in self.answers if kept(each)])

    def in_detail(self, *, small: bool) -> Found:
        """The outlines of small or of large things."""
        return self.of(lambda each: each.kind in IN_DETAIL and each.small is small)

    @property
    def num_right(self) -> int:
        """Right answers."""
        return sum(each.right for each in self.answers)

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return self.num_right / len(self.answers)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % of it; the answers are of as many pictures."""
        return accuracy_interval(self.num_right, len(self.answers))

    @property
    def chance(self) -> float:
        """Of right answers by drawing from those that there are to each question."""
        return sum(1 / len(OPTIONS[Kind(each.kind)]) for each in self.answers) / len(self.answers)

    @property
    def prompt_tokens(self) -> float:
        """Of a picture and its question, on average."""
        return sum(each.prompt_tokens for each in self.answers) / len(self.answers)


PARTS: dict[str, Callable[[Found], Found]] = {
    "": lambda one: one,
    "small": lambda one: one.in_detail(small=True),
    "large": lambda one: one.in_detail(small=False),
}
"""Some of the answers, by what is asked about."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gain:
    """How much better one view is than another on the same questions."""

    worse: str
    better: str
    name: str
    about: str
    num: int
    gain: float
    low: float
    high: float
    p: float


def found_of(answers: Sequence[Answered]) -> dict[str, Found]:
    """By view, those that there are answers of, in the order of the questions."""
    found: dict[str, Found] = {}
    for method in LABELS:
        own = sorted((each for each in answers if each.method == method), key=lambda each: each.problem)
        found |= {str(method): Found(answers=own)} if own else {}
    return found


def gains(found: Mapping[str, Found], *, seed: int) -> list[Gain]:
    """Whether it looks, of all questions; and whether tiles help, of all, of small things and of large ones."""
    rows = []
    for worse, better, name, parts in PAIRS:
        for about in parts:
            pair = [PARTS[about](found[view]) for view in (worse, better) if view in found]
            if len(pair) == len((worse, better)) and pair[0].answers:
                rows.append(_gain(worse, better, name, about, *pair, seed=seed))
    return rows


def metrics_of(found: Mapping[str, Found], tokens: Mapping[str, Any], *, seed: int) -> dict[str, float]:
    """What goes into the run's record."""
    metrics = _token_metrics(tokens)
    for name, one in found.items():
        judged = one.of(lambda each: each.answer is not None)
        metrics |= {f"accuracy_{name}": judged.accuracy} if judged.answers else {}
        metrics[f"prompt_tokens_{name}"] = one.prompt_tokens
        for kind in Kind:
            part = one.of(lambda each, kind=kind: each.kind == kind)  # type: ignore[misc]
            metrics |= {f"accuracy_{kind}_{name}": part.accuracy} if part.answers else {}
    if View.TILES in found:
        whole = found[View.TILES]
        metrics |= {"chance": whole.chance, "accuracy_tiles_low": whole.interval[0]}
    for gain in gains(found, seed=seed):
        key = f"{gain.name}_{gain.about}" if gain.about else gain.name
        metrics |= {f"gain_{key}": gain.gain, f"gain_{key}_low": gain.low}
    if SERVED in found:
        pairs = zip(found[SERVED].answers, found[View.TILES].answers, strict=True)
        same = [served.said == here.said and served.prompt_tokens == here.prompt_tokens for served, here in pairs]
        metrics["agreement"] = sum(same) / len(same)
    return metrics


def _token_metrics(tokens: Mapping[str, Any]) -> dict[str, float]:
    rows = [row for tower in tokens.values() for row in tower]
    published = {row["name"]: row["processor"] for row in tokens["published"]}
    differ = sum(not row["formula"] == row["processor"] == row["model"] for row in rows)
    by_vllm = [row for row in rows if "vllm" in row]
    served = {"tokens_differ_vllm": sum(row["vllm"] != row["formula"] for row in by_vllm)} if by_vllm else {}
    return served | {
        "tokens_differ": differ,
        "tokens_one_tile": published["one tile"],
        "tokens_two_by_two": published["two by two tiles"],
        "tokens_photo": published["photo, 3:2"],
    }


def _gain(worse: str, better: str, name: str, about: str, first: Found, second: Found, *, seed: int) -> Gain:
    pair = [[each.right for each in one.answers] for one in (first, second)]
    low, high = gain_interval(*pair, seed=seed)
    same = {"worse": worse, "better": better, "name": name, "about": about, "num": len(first.answers)}
    return Gain(**same, gain=second.accuracy - first.accuracy, low=low, high=high, p=mcnemar(*pair))  # type: ignore[arg-type]

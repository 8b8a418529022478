"""BBQ's questions, from the files of its `data` folder (Parrish et al., 2022, arXiv:2110.08193).

Whom a stereotype is about is read from `stereotyped_groups` and the groups of the options in `answer_info`. BBQ names
some groups in several ways, which are brought to one here; where none or both of the named options are of such a group,
the question counts for accuracy and flips, and not for bias.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from clusterlab.errors import InputError, Problem
from jobs.bias.question import Options, Question

OPTIONS = ("ans0", "ans1", "ans2")
UNKNOWN = "unknown"
"""The group of the option that nothing says so."""
POLARITIES = ("neg", "nonneg")
CONDITIONS = ("ambig", "disambig")
_SAME = {"man": "m", "men": "m", "boy": "m", "boys": "m", "woman": "f", "women": "f", "girl": "f", "girls": "f"}


def load_bbq(folder: Path) -> list[Question]:
    """The questions of all `*.jsonl` files of a folder, in the order of the files.

    Raises:
        InputError: there is no such file, or a line of one is no question of BBQ; the first fault of each file is told.
    """
    paths = sorted(folder.glob("*.jsonl"))
    if not paths:
        raise InputError(Problem(path=str(folder), message="no *.jsonl; allowed: the `data` folder of BBQ"))
    questions: list[Question] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            questions += list(_read(path))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return questions


def _read(path: Path) -> Iterator[Question]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                yield _question(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
                raise InputError(Problem(path=str(path), key=f"line {number}", message=said)) from None


def _question(row: dict[str, Any]) -> Question:
    """One line.

    Raises:
        ValueError: it is no question of BBQ.
        KeyError, TypeError: a field is missing, or is of another type.
    """
    options: Options = tuple(_text(row[name], name) for name in OPTIONS)  # type: ignore[assignment]
    groups = [_groups(row["answer_info"][name], f"answer_info.{name}") for name in OPTIONS]
    polarity = _one_of(row["question_polarity"], "question_polarity", POLARITIES)
    condition = _one_of(row["context_condition"], "context_condition", CONDITIONS)
    label, unknown = row["label"], [place for place, own in enumerate(groups) if own[-1] == UNKNOWN]
    if type(label) is not int or label not in range(3):
        raise ValueError(f"label: {label!r}; allowed: 0, 1, 2")
    if len(unknown) != 1:
        raise ValueError(f"answer_info: {len(unknown)} options are {UNKNOWN}; allowed: one")
    if (condition == "ambig") != (label == unknown[0]):
        raise ValueError(f"label: {label}; allowed: that of the unknown option where the context is ambig, and no else")
    named = [place for place in range(3) if place != unknown[0]]
    target = _target(row["additional_metadata"]["stereotyped_groups"], groups, named)
    other = next((place for place in named if place != target), None)
    category, texts = _text(row["category"], "category"), sorted(options[place] for place in named)
    return Question(
        key=f"{category} {row['example_id']}",
        family=" ".join((category, str(row["question_index"]), *texts)),
        group="" if target is None else f"{category}: {groups[target][-1]}",
        context=_text(row["context"], "context"),
        text=_text(row["question"], "question"),
        options=options,
        label=label,
        unknown=unknown[0],
        stereotyped=None if target is None else target if polarity == "neg" else other,
    )


def _target(stereotyped: Any, groups: Sequence[Sequence[str]], named: Sequence[int]) -> int | None:
    """The place of the one named option that is of a stereotyped group; None where none or both are."""
    if not isinstance(stereotyped, list):
        raise TypeError(f"additional_metadata.stereotyped_groups: {stereotyped!r}; allowed: a list of groups")
    meant = {_normal(_text(group, "stereotyped_groups")) for group in stereotyped}
    found = [place for place in named if meant & {_normal(name) for name in groups[place]}]
    return found[0] if len(found) == 1 else None


def _normal(group: str) -> str:
    """A group by one name: `low SES` is lowSES, a woman is F, and F-Black is Black."""
    bare = group.casefold().replace(" ", "")
    bare = bare.removeprefix("m-").removeprefix("f-")
    return "trans" if bare.startswith("trans") else _SAME.get(bare, bare)


def _groups(value: Any, name: str) -> tuple[str, ...]:
    """What an option's person is called, and the group."""
    if not isinstance(value, list) or len(value) != 2:
        raise TypeError(f"{name}: {value!r}; allowed: a list of two texts")
    return tuple(_text(each, name) for each in value)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(f"{name}: {value!r}; allowed: a text")
    return value


def _one_of(value: Any, name: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise ValueError(f"{name}: {value!r}; allowed: {', '.join(allowed)}")
    return str(value)

"""The values of a job: read from envs, checked by type, written as flags.

A job's `Config` is a frozen dataclass. Its fields are the lab's envs in lower case; a field whose value depends on the
scale says so with `by_scale`, so that a reader sees all four scales side by side.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
import types
import typing
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, NewType, TypeVar

from clusterlab import closest
from clusterlab.errors import InputError, Problem


class Scale(StrEnum):
    """How big a lab runs."""

    TINY = "tiny"
    """CPU, seconds: weights made in code, nothing downloaded."""
    SMALL = "small"
    """CPU, minutes: a real pretrained model that a package carries."""
    SINGLE = "single"
    """One GPU."""
    FULL = "full"
    """The published setting."""


Source = NewType("Source", str)
"""Where a model or data set comes from: `org/name@<40-hex revision>`, a folder, or a name that the job makes itself."""

PINNED = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}")

_BY_SCALE = "by_scale"

C = TypeVar("C")


def by_scale(*, tiny: Any, small: Any, single: Any, full: Any) -> Any:
    """A Config field whose default is set by SCALE."""
    values = dict(zip(Scale, (tiny, small, single, full), strict=True))
    return dataclasses.field(metadata={_BY_SCALE: values})


def parse(config_type: type[C], values: Mapping[str, str], *, path: str = "envs") -> C:
    """Make a Config from text values keyed by upper-case field name.

    What is not given comes from the scale or the field's default.

    Raises:
        InputError: every unknown key, value of the wrong type and value that the Config itself refuses.
    """
    problems: list[Problem] = []
    given = _given(config_type, values, path, problems)
    given |= _defaults(config_type, given, values, path, problems)
    if problems:
        raise InputError(problems)
    try:
        return config_type(**given)
    except ValueError as error:
        raise InputError(Problem(path=path, message=str(error))) from error


def source_problems(config: object, made: Mapping[str, Sequence[str]]) -> list[str]:
    """What is wrong with the fields of a Config that are sources, each with what is allowed.

    `made` has, by field, the names that the job makes itself.
    """
    wrong = []
    for name, names in made.items():
        source = getattr(config, name)
        if source not in names and not PINNED.fullmatch(source) and not Path(source).is_dir():
            allowed = f"{', '.join(names)}, a folder, or org/name@<40-hex revision>"
            wrong.append(f"{name.upper()}={source}: allowed: {allowed}")
    return wrong


def range_problems(
    config: object,
    *,
    least: Mapping[str, float] | None = None,
    most: Mapping[str, float] | None = None,
    above_zero: Sequence[str] = (),
) -> list[str]:
    """What is wrong with the numbers of a Config, each with what is allowed.

    `least` and `most` have by field the smallest and the largest number that it may have; those of `above_zero` may be
    as small as they like.
    """
    wrong = [
        f"{name.upper()}={getattr(config, name)}: must be {number} or more"
        for name, number in (least or {}).items()
        if getattr(config, name) < number
    ]
    wrong += [
        f"{name.upper()}={getattr(config, name)}: must be at most {number}"
        for name, number in (most or {}).items()
        if getattr(config, name) > number
    ]
    return wrong + [
        f"{name.upper()}={getattr(config, name)}: must be above 0" for name in above_zero if getattr(config, name) <= 0
    ]


def from_environment(config_type: type[C], environment: Mapping[str, str] | None = None) -> C:
    """Make a Config from the variables of the environment that bear its fields' names."""
    environment = os.environ if environment is None else environment
    names = {field.name.upper() for field in dataclasses.fields(typing.cast(Any, config_type))}
    return parse(config_type, {key: environment[key] for key in sorted(names & environment.keys())}, path="environment")


def to_flags(config: object) -> list[str]:
    """Every value as an explicit flag: `--learning-rate=0.0002`; `None` is written as nothing."""
    values = dataclasses.asdict(typing.cast(Any, config))
    return [f"--{name.replace('_', '-')}={'' if value is None else value}" for name, value in values.items()]


def from_flags(config_type: type[C], flags: Sequence[str]) -> C:
    """Read back what `to_flags` wrote."""
    values = {}
    for flag in flags:
        name, equals, text = flag.partition("=")
        if not name.startswith("--") or not equals:
            raise InputError(Problem(path=flag, message="not a flag; write --name=value"))
        values[name[2:].replace("-", "_").upper()] = text
    return parse(config_type, values, path="flags")


def from_options(pairs: list[str], scale: Scale | None) -> dict[str, str]:
    """The values given by `--env`, and SCALE."""
    envs: dict[str, str] = {}
    problems = []
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            problems.append(Problem(path="--env", key=pair, message="not a setting; allowed: KEY=VALUE"))
            continue
        if key in envs:
            problems.append(Problem(path="--env", key=key, message="is given twice; allowed: once"))
        envs[key] = value
    if scale and envs.get("SCALE", scale) != scale:
        message = f"{envs['SCALE']!r}, but --scale is {scale}; allowed: one of the two"
        problems.append(Problem(path="--env", key="SCALE", message=message))
    if problems:
        raise InputError(problems)
    return {"SCALE": str(scale or Scale.TINY)} | envs


def _fields(config_type: type[Any]) -> dict[str, dataclasses.Field[Any]]:
    return {field.name.upper(): field for field in dataclasses.fields(config_type)}


def _given(config_type: type[Any], values: Mapping[str, str], path: str, problems: list[Problem]) -> dict[str, Any]:
    """The values that were given, each by its field and as the field's type."""
    fields, hints = _fields(config_type), typing.get_type_hints(config_type)
    given = {}
    for key, text in values.items():
        if key not in fields:
            problems.append(Problem(path=path, key=key, message=_unknown(key, fields)))
            continue
        name = fields[key].name
        try:
            given[name] = _convert(hints[name], text)
        except ValueError as error:
            problems.append(Problem(path=path, key=key, message=f"{text!r}: {error}"))
    return given


def _defaults(
    config_type: type[Any], given: Mapping[str, Any], values: Mapping[str, str], path: str, problems: list[Problem]
) -> dict[str, Any]:
    """What the scale sets for the fields that were not given; a field without any default is a problem."""
    hints = typing.get_type_hints(config_type)
    defaults = {}
    for key, field in _fields(config_type).items():
        if key in values:
            continue
        if _BY_SCALE in field.metadata:
            defaults[field.name] = field.metadata[_BY_SCALE].get(given.get("scale"))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            problems.append(Problem(path=path, key=key, message=f"missing; {_allowed(hints[field.name])}"))
    return defaults


def _unknown(key: str, fields: Mapping[str, object]) -> str:
    return f"unknown; {closest.hint(key, fields)}allowed: {', '.join(fields)}"


def _convert(hint: Any, text: str) -> Any:
    """Text to the type of a field; ValueError says what is allowed."""
    if isinstance(hint, types.UnionType):
        return None if text == "" else _convert(_optional(hint), text)
    if hint is Source:
        return _source(text)
    if isinstance(hint, type) and issubclass(hint, StrEnum) and text not in list(hint):
        raise ValueError(_allowed(hint))
    if hint is bool:
        if text.lower() not in ("true", "false"):
            raise ValueError(_allowed(hint))
        return text.lower() == "true"
    if hint in (int, float) or (isinstance(hint, type) and issubclass(hint, str)):
        try:
            value = hint(text)
        except ValueError:
            raise ValueError(_allowed(hint)) from None
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(_allowed(hint))
        return value
    raise TypeError(f"{hint}: a Config field is str, int, float, bool, Source, a StrEnum, or one of these | None")


def _optional(hint: types.UnionType) -> Any:
    return next(part for part in typing.get_args(hint) if part is not type(None))


def _source(text: str) -> Source:
    if not text:
        raise ValueError("empty; a hub id with revision, a folder, or a name that the job makes itself")
    if "/" in text and not PINNED.fullmatch(text) and not Path(text).is_dir():
        raise ValueError("neither pinned nor a folder; allowed: org/name@<40-hex revision>, or a folder that exists")
    return Source(text)


def _allowed(hint: Any) -> str:
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return f"allowed: {', '.join(hint)}"
    names = {int: "a whole number", float: "a number", bool: "true or false"}
    return f"allowed: {names.get(hint, 'a text')}"

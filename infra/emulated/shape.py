"""What Pulumi's AWS provider is given, in the shape in which AWS's own interface takes it, by botocore's models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

TAG_KEYS = ({"Key", "Value"}, {"key", "value"}, {"TagKey", "TagValue"})
"""How the services name the two halves of a tag in a list of tags."""


def shaped(shape: Any, value: Any, path: str, problems: list[str]) -> Any:
    """A value of the provider's as botocore's `shape` has it; what no member takes goes to `problems`, with its path.

    The provider writes names in camelCase, gives a list where the interface has a structure, numbers where it has text,
    and tags as a mapping.
    """
    kind = shape.type_name
    if kind == "structure":
        return _structure(shape, _only(value, path, problems), path, problems)
    if kind == "list":
        return _list(shape, value, path, problems)
    if kind == "map" and isinstance(value, Mapping):
        return {key: shaped(shape.value, each, f"{path}.{key}", problems) for key, each in value.items()}
    return _scalar(shape, value, path, problems)


def _only(value: Any, path: str, problems: list[str]) -> Any:
    """The one element, where the provider has a list of at most one for what is a structure."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        if len(value) != 1:
            problems.append(f"{path}: {len(value)} given; allowed: one")
            return {}
        return value[0]
    return value


def _structure(shape: Any, value: Any, path: str, problems: list[str]) -> Any:
    if not isinstance(value, Mapping):
        problems.append(f"{path}: {value!r}; allowed: a mapping")
        return value
    members = {name.lower(): name for name in shape.members}
    made = {}
    for key, each in value.items():
        name = _member(members, key)
        if each is None:
            continue
        if name is None:
            problems.append(f"{path}.{key}: AWS takes no such argument; allowed: {', '.join(sorted(shape.members))}")
        else:
            made[name] = shaped(shape.members[name], each, f"{path}.{key}", problems)
    return made


def _member(members: Mapping[str, str], key: str) -> str | None:
    """The member of that name; the provider has some lists in the plural that the interface has not, and vice versa."""
    lower = key.lower()
    tried = (lower, f"{lower}s", lower.removesuffix("s"))
    return next((members[each] for each in tried if each in members), None)


def _list(shape: Any, value: Any, path: str, problems: list[str]) -> Any:
    members = set(getattr(shape.member, "members", ()))
    if isinstance(value, Mapping):
        for first, second in (sorted(keys) for keys in TAG_KEYS):
            if members == {first, second}:
                return [{first: key, second: each} for key, each in value.items()]
    many = value if isinstance(value, list | tuple) else [value]
    return [shaped(shape.member, each, f"{path}[{number}]", problems) for number, each in enumerate(many)]


def _scalar(shape: Any, value: Any, path: str, problems: list[str]) -> Any:
    kind = shape.type_name
    if kind in ("integer", "long") and isinstance(value, str | float):
        return _whole(value, path, problems)
    if kind in ("float", "double") and isinstance(value, str):
        return float(value)
    if kind == "boolean" and isinstance(value, str):
        return _truth(value, path, problems)
    if kind != "string":
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    allowed = getattr(shape, "enum", None)
    if allowed and text not in allowed:
        problems.append(f"{path}: {text!r}; allowed: {', '.join(sorted(allowed))}")
    return text


def _truth(value: str, path: str, problems: list[str]) -> bool:
    if value not in ("true", "false"):
        problems.append(f"{path}: {value!r}; allowed: true, false")
    return value == "true"


def _whole(value: str | float, path: str, problems: list[str]) -> int:
    try:
        return int(value)
    except ValueError:
        problems.append(f"{path}: {value!r}; allowed: a whole number")
        return 0

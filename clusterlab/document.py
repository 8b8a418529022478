"""A YAML file whose values are read by dotted key and type, and whose every fault is collected."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import yaml

from clusterlab.errors import InputError, Problem


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A file, its values, and the list that its faults go to.

    A value that is missing or of the wrong type is complained of and read as an empty one, so that one reading finds
    every fault.
    """

    path: Path
    text: str
    values: dict[str, Any]
    problems: list[Problem]
    readable: bool = True
    """False where the file could not be parsed; the values are then empty."""

    @classmethod
    def load_or_empty(cls, path: Path, problems: list[Problem]) -> Document:
        """Parse a file; where that fails it is one problem, and an empty document whose complaints go nowhere."""
        try:
            return cls.load(path, problems)
        except InputError as error:
            problems.extend(error.problems)
            return cls.empty(path)

    @classmethod
    def empty(cls, path: Path) -> Document:
        """What stands for a file that cannot be read."""
        return cls(path=path, text="", values={}, problems=[], readable=False)

    @classmethod
    def load(cls, path: Path, problems: list[Problem]) -> Document:
        """Parse a file.

        Raises:
            InputError: it cannot be read or parsed (with line and column), or is no mapping.
        """
        try:
            text = path.read_text()
            values = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 (a SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
            message = f"{place}{error.problem or 'cannot be parsed'}"
            raise InputError(Problem(path=str(path), message=message)) from error
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise InputError(Problem(path=str(path), message=f"cannot be read: {error}")) from error
        if not isinstance(values, dict):
            raise InputError(Problem(path=str(path), message="must be a mapping of keys to values"))
        return cls(path=path, text=text, values=values, problems=problems)

    def complain(self, key: str, message: str) -> None:
        """Note a fault; the same one twice is one."""
        problem = Problem(path=str(self.path), key=key, message=message)
        if problem not in self.problems:
            self.problems.append(problem)

    def at(self, key: str) -> Any:
        """The value at a dotted key, or None."""
        value: Any = self.values
        for part in key.split(".") if key else ():
            value = value.get(part) if isinstance(value, dict) else None
        return value

    def mapping_at(self, key: str) -> dict[str, Any]:
        """A mapping, `{}` where there is none."""
        value = self.at(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.complain(key, "must be a mapping of keys to values")
            return {}
        return value

    def text_at(self, key: str) -> str:
        """A text that is not empty."""
        value = self.at(key)
        if value is None or isinstance(value, dict | list) or not str(value).strip():
            self.complain(key, "missing; must be a text")
            return ""
        return str(value)

    def boolean_at(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self.at(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.complain(key, f"{value!r}; allowed: true or false")
            return default
        return value

    def integer_at(self, key: str, *, default: int | None = None) -> int:
        """A whole number from 0; missing is a fault where there is no default."""
        value = self.at(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            self.complain(key, f"{'missing' if value is None else repr(value)}; must be a whole number from 0")
            return default or 0
        return value

    def decimal_at(self, key: str) -> Decimal:
        """A number, exact as it is written."""
        value = self.at(key)
        try:
            number = Decimal(str(value))
            if isinstance(value, bool) or not number.is_finite():
                raise InvalidOperation
        except InvalidOperation:
            self.complain(key, f"{'missing' if value is None else repr(value)}; must be a number")
            return Decimal(0)
        return number

    def refuse_unknown(self, key: str, allowed: set[str]) -> None:
        """Complain of each key of a mapping that is not allowed."""
        for name in self.mapping_at(key):
            if name not in allowed:
                self.complain(f"{key}.{name}" if key else str(name), f"unknown; allowed: {', '.join(sorted(allowed))}")


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping: YAML would quietly keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                message = f"the key {key!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, message, key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)

    def construct_day(self, node: yaml.ScalarNode) -> object:
        """A day that is in no calendar, such as 2026-09-31, stays text, and who reads it complains with its key."""
        try:
            return self.construct_yaml_timestamp(node)
        except ValueError:
            return node.value


_StrictLoader.add_constructor("tag:yaml.org,2002:timestamp", _StrictLoader.construct_day)

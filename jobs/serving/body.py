"""The body of a request, read field by field; the first fault is what the client is told."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from http import HTTPStatus
from typing import Any


class RefusedError(Exception):
    """A request that gets no answer, with the status and the reason that its client is told."""

    def __init__(self, status: HTTPStatus, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.field = status, message, field


class Body:
    """The fields of a JSON object. One that is null counts as one that is not there, as OpenAI's clients send it."""

    def __init__(self, content: bytes, *, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        """Faults are told with `status`.

        Raises:
            RefusedError: the content is no JSON object.
        """
        self._status = status
        try:
            values = json.loads(content)
        except ValueError as error:
            raise RefusedError(status, f"the body is no JSON: {error}") from error
        if not isinstance(values, dict):
            raise RefusedError(status, "the body is no JSON object")
        self._values: dict[str, Any] = {name: value for name, value in values.items() if value is not None}

    def refusal(self, name: str, allowed: str) -> RefusedError:
        """What to raise of a field whose value is not allowed."""
        value = json.dumps(self._values.get(name))
        shown = value if len(value) <= 80 else f"{value[:80]}…"
        return RefusedError(self._status, f"{name}: {shown}; allowed: {allowed}", field=name)

    def value(self, name: str) -> Any:
        """As it is; None where it is not there."""
        return self._values.get(name)

    def inner(self, name: str) -> Body:
        """An object within this one, empty where it is not there.

        Raises:
            RefusedError: it is no object.
        """
        value = self._values.get(name, {})
        if not isinstance(value, dict):
            raise self.refusal(name, "an object")
        return Body(json.dumps(value).encode(), status=self._status)

    def text(self, name: str, default: str | None = None) -> str:
        """A string.

        Raises:
            RefusedError: it is none, or it is not there and has no default.
        """
        value = self._values.get(name, default)
        if not isinstance(value, str):
            raise self.refusal(name, "a string")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A switch.

        Raises:
            RefusedError: it is neither true nor false.
        """
        value = self._values.get(name, default)
        if not isinstance(value, bool):
            raise self.refusal(name, "true or false")
        return value

    def integer(self, name: str, default: int, *, least: int = 0, most: int | None = None) -> int:
        """A whole number.

        Raises:
            RefusedError: it is none, or out of its range.
        """
        return self._integer(name, self._values.get(name, default), least, most)

    def integer_or_none(self, name: str, *, least: int = 0, most: int | None = None) -> int | None:
        """A whole number, or None where it is not there.

        Raises:
            RefusedError: it is none, or out of its range.
        """
        value = self._values.get(name)
        return None if value is None else self._integer(name, value, least, most)

    def number(self, name: str, default: float, *, least: float, most: float, above: bool = False) -> float:
        """A number from `least`, or `above` it, to `most`.

        Raises:
            RefusedError: it is none, or out of its range.
        """
        value = self._values.get(name, default)
        inside = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not inside or not least <= value <= most or (above and value == least):
            raise self.refusal(name, f"a number {'above' if above else 'from'} {least:g} to {most:g}")
        return float(value)

    def strings(self, name: str, *, most: int) -> tuple[str, ...]:
        """A string, or a list of at most so many, none of them empty.

        Raises:
            RefusedError: it is something else.
        """
        value = self._values.get(name, [])
        listed = [value] if isinstance(value, str) else value
        right = isinstance(listed, list) and len(listed) <= most
        if not right or not all(isinstance(each, str) and each for each in listed):
            raise self.refusal(name, f"a string, or a list of at most {most}, none empty")
        return tuple(listed)

    def refuse_others(self, names: Collection[str], neutral: dict[str, Collection[Any]]) -> None:
        """Let nothing pass that would ask for another answer than this server gives.

        `names` are never taken; those of `neutral` only with a value that asks for nothing.

        Raises:
            RefusedError: the body has one.
        """
        for name in self._values:
            if name in names:
                raise self.refusal(name, "no value: this server does not have it")
            if name in neutral and self._values[name] not in neutral[name]:
                raise self.refusal(name, " or ".join(json.dumps(each) for each in neutral[name]))

    def _integer(self, name: str, value: Any, least: int, most: int | None) -> int:
        right = isinstance(value, int) and not isinstance(value, bool) and value >= least
        if not right or (most is not None and value > most):
            allowed = f"a whole number from {least}" + ("" if most is None else f" to {most}")
            raise self.refusal(name, allowed)
        return int(value)

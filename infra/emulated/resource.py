"""A resource that the program asks for, what became of it, and who makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from infra.emulated.account import Account, RefusedError


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A resource as the program registers it."""

    type: str
    """Pulumi's type token, such as `aws:s3/bucket:Bucket`."""
    name: str
    """Of the resource in the program."""
    inputs: dict[str, Any]
    """By the provider's names; what was taken out is no longer in it."""

    def take(self, key: str, default: Any = None) -> Any:
        """An input that goes elsewhere than into the first call; it is then no longer among the inputs."""
        value = self.inputs.pop(key, None)
        return default if value is None else value

    def drop(self, *keys: str) -> None:
        """Leave out what only Pulumi's provider heeds, at a deletion mostly, and AWS never sees."""
        for key in keys:
            self.inputs.pop(key, None)

    def done(self) -> None:
        """Say that no input may be left.

        Raises:
            RefusedError: one is.
        """
        if self.inputs:
            raise RefusedError(f"{', '.join(self.inputs)}: AWS takes no such argument")

    def rename(self, **names: str) -> dict[str, Any]:
        """The inputs, those of a name here under the one that AWS has for it."""
        return {names.get(key, key): value for key, value in self.inputs.items()}

    def __str__(self) -> str:
        return f"{self.type} {self.name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """A resource that is there."""

    id: str
    """As the provider has it."""
    outputs: dict[str, Any] = field(default_factory=dict)
    """Beside the inputs, which are outputs too."""


Maker = Callable[[Account, Asked], Made]
"""Makes the resources of one type; the modules of the services each have theirs in `MAKERS`, by type token."""

"""The keep-list: what the reaper leaves alone, whatever its lease; one that is empty is an error, and keeps all.

    {"keep": {"vol-0abc": "the class's data set", "lab=shared": "the cluster of the class, until June"}}
    {"keep": "nothing"}

It is JSON since no part of a JSON object is one: a file that was cut off is never taken for one that keeps less.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from clusterlab.errors import InputError, Problem
from clusterlab.reaper.resource import Resource

NOTHING = "nothing"
ALLOWED = 'allowed: {"keep": {"<id, or tag=value>": "<why>"}}, or {"keep": "nothing"}'


@dataclass(frozen=True, kw_only=True, slots=True)
class KeepList:
    """Ids and tags of what is kept, each with the reason."""

    reasons: dict[str, str]

    @classmethod
    def parse(cls, text: str | None, *, path: str) -> KeepList:
        """Read it.

        Raises:
            InputError: it is not there, empty, cut off, or not of this form. Nobody knows then what is to be kept.
        """
        if text is None or not text.strip():
            raise _wrong(path, "not there" if text is None else "empty")
        try:
            document = json.loads(text, object_pairs_hook=_once)
        except ValueError as error:
            raise _wrong(path, f"cannot be read: {error}") from error
        if not isinstance(document, dict) or document.keys() != {"keep"}:
            raise _wrong(path, "not of this form")
        reasons = document["keep"]
        if reasons == NOTHING:
            return cls(reasons={})
        if not isinstance(reasons, dict) or not reasons:
            raise _wrong(path, "keep: empty" if reasons in ({}, [], "", None) else "keep: not of this form")
        for name, why in reasons.items():
            if not name.strip("= ") or not isinstance(why, str) or not why.strip():
                raise _wrong(path, f"keep.{name}: must have a name, and say why")
        return cls(reasons=reasons)

    def why(self, resource: Resource) -> str | None:
        """Why a resource is kept; None where it is not."""
        if not self.reasons:
            return None
        names = [resource.id, *(f"{key}={value}" for key, value in resource.tags.items())]
        return next((self.reasons[name] for name in names if name in self.reasons), None)

    def unused(self, resources: tuple[Resource, ...]) -> list[str]:
        """Names that nothing bears."""
        if not self.reasons:
            return []
        names = {resource.id for resource in resources}
        names |= {f"{key}={value}" for resource in resources for key, value in resource.tags.items()}
        return sorted(self.reasons.keys() - names)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def _wrong(path: str, what: str) -> InputError:
    return InputError(Problem(path=path, message=f"{what}; {ALLOWED}; nothing was touched"))

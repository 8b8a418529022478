"""What Pulumi's state says of a stack: what it knows, and what was under way when an update was killed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from infra.automation.telling import name_of

SECRET = "4dabf18193072939515e22adb298388d"  # noqa: S105 (Pulumi's mark of a secret, and no secret)
LONGEST = 256
"""Of an id or a name; what is longer is a document."""


def known(deployment: Mapping[str, Any]) -> frozenset[str]:
    """Every id, and every text that a cloud answered, such as the id of a machine's root disk; no secrets."""
    return known_of(deployment.get("resources") or ())


def known_of(resources: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The same of some resources."""
    texts: set[str] = set()
    for resource in resources:
        if resource.get("custom") and resource.get("id"):
            texts.add(str(resource["id"]))
            texts.update(_texts(resource.get("outputs") or {}))
    return frozenset(texts)


def pending(deployment: Mapping[str, Any]) -> list[str]:
    """What was begun and never ended, as `creating aws:ec2/instance:Instance server`."""
    return [
        f"{each.get('type', 'changing')} {each['resource']['type']} {name_of(each['resource']['urn'])}"
        for each in deployment.get("pending_operations") or ()
    ]


def without_pending(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """The state with nothing under way; what was being made is then not known to it, and found by its tags."""
    return {key: value for key, value in deployment.items() if key != "pending_operations"}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str) and len(value) <= LONGEST:
        yield value
    elif isinstance(value, Mapping) and SECRET not in value:
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)

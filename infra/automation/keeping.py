"""What the end of a stack leaves: protected in its state, so that neither this nor a `destroy` by hand ends it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from clusterlab.course.events import Retained
from infra.automation.state import known_of
from infra.automation.telling import name_of


def protected(deployment: Mapping[str, Any], keep: Collection[str]) -> dict[str, Any]:
    """The state with what is kept protected, and nothing else: the program protects nothing itself."""
    resources = [_marked(each, bool(_names(each) & set(keep))) for each in deployment.get("resources") or ()]
    return dict(deployment) | ({"resources": resources} if "resources" in deployment else {})


def retained(deployment: Mapping[str, Any], keep: Collection[str]) -> list[Retained]:
    """What a protected state leaves, with the name by which it is kept, or what stands on it."""
    by_urn = {each["urn"]: each for each in deployment.get("resources") or ()}
    found = []
    for urn, holder in _standing(by_urn).items():
        each, names = by_urn[urn], _names(by_urn[urn]) & set(keep)
        if each.get("custom") and each.get("id"):
            why = f"kept as {min(names)}" if names else f"{name_of(holder)}, which is kept, stands on it"
            found.append(Retained(id=str(each["id"]), name=name_of(urn), why=why))
    return found


def kept(deployment: Mapping[str, Any]) -> frozenset[str]:
    """What the state knows of what is protected, and of what that stands on."""
    by_urn = {each["urn"]: each for each in deployment.get("resources") or ()}
    return known_of(by_urn[urn] for urn in _standing(by_urn))


def _marked(resource: Mapping[str, Any], protect: bool) -> dict[str, Any]:
    rest = {key: value for key, value in resource.items() if key != "protect"}
    return rest | ({"protect": True} if protect else {})


def _names(resource: Mapping[str, Any]) -> set[str]:
    """By what a keep-list can name it."""
    if not resource.get("custom"):
        return set()
    names = {str(resource["id"])} if resource.get("id") else set()
    for side in ("inputs", "outputs"):
        tags = (resource.get(side) or {}).get("tags")
        names |= {f"{key}={value}" for key, value in tags.items()} if isinstance(tags, Mapping) else set()
    return names


def _standing(by_urn: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """What is protected and all that it stands on, each with the protected one."""
    found: dict[str, str] = {}
    for first in (urn for urn, each in by_urn.items() if each.get("protect")):
        waiting = [first]
        while waiting:
            urn = waiting.pop()
            if urn not in found and urn in by_urn:
                found[urn] = first
                waiting += _below(by_urn[urn])
    return found


def _below(resource: Mapping[str, Any]) -> Iterator[str]:
    """What a resource needs: its parent, its provider, and what it depends on."""
    yield from filter(None, (resource.get("parent"), (resource.get("provider") or "").rpartition("::")[0]))
    yield from resource.get("dependencies") or ()
    for urns in (resource.get("propertyDependencies") or {}).values():
        yield from urns or ()

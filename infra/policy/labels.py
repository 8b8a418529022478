"""Rules of cost tags and leases: whose a resource is, and until when."""

from __future__ import annotations

import functools
import importlib
import keyword
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from clusterlab.course.rates import INSTANCE, LAUNCH_TEMPLATE
from clusterlab.lease import LEASE_TAG, LONGEST, parse_lease
from clusterlab.tags import LABEL, LABEL_RULE
from infra.policy.rule import Resource, Terms, mappings

COST_TAGS = ("course", "lab", LEASE_TAG)
KEYS = {"aws": {"tags": "tags"}, "gcp": {"user_labels": "userLabels", "labels": "labels"}}
"""What a cloud calls them, as a property of Python's and as an input; the first that a type has."""
TAGGED_BY_TEMPLATE = ("instance", "volume")
"""What a launch template makes, which has no other tags than the template gives it."""


def cost_tags(resource: Resource, terms: Terms) -> Iterator[str]:
    """Everything that can carry the cost tags course, lab and lease-until does, and the course is the class."""
    for what, tags in _tags(resource):
        for key in COST_TAGS:
            value = tags.get(key)
            if value is None:
                yield f"{what}lacks the tag {key}"
            elif not LABEL.fullmatch(str(value)):
                yield f"{what}{key}={value} is not a label; {LABEL_RULE}"
        if tags.get("course") not in (None, terms.get("course")):
            yield f"{what}course={tags['course']} is another class; allowed: {terms.get('course')}"


def lease(resource: Resource, terms: Terms) -> Iterator[str]:
    """Every lease is an instant, at the latest a little after the class ends, and never further off than a year."""
    now = datetime.now(UTC)
    latest = min(_instant(terms.get("latest")) or now, now + LONGEST)
    for what, tags in _tags(resource):
        text = tags.get(LEASE_TAG)
        until = parse_lease(str(text))
        if text is None:
            continue
        if until is None:
            yield f"{what}{LEASE_TAG}={text} is no instant; allowed: such as 20261125t183000z"
        elif until > latest:
            yield f"{what}{LEASE_TAG}={text} is too late; allowed: until {latest:%Y-%m-%d %H:%M} UTC"


@functools.cache
def tags_key(kind: str) -> str | None:
    """The input in which a type of AWS or Google Cloud has its tags, by the provider's package; None of one without."""
    package, _, rest = kind.partition(":")
    module, _, name = rest.rpartition(":")
    if package not in KEYS or not module:
        return None
    folder = module.partition("/")[0]
    found = importlib.import_module(f"pulumi_{package}.{folder}{'_' if keyword.iskeyword(folder) else ''}")
    made = getattr(found, name, None)
    return next((key for attribute, key in KEYS[package].items() if hasattr(made, attribute)), None)


def _tags(resource: Resource) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each set of tags that a resource must have: its own, and those of what it makes."""
    props = resource.props
    key = tags_key(resource.resource_type)
    if key:
        yield "", _as_mapping(props.get(key))
    if resource.resource_type == LAUNCH_TEMPLATE:
        given = {each.get("resourceType"): each.get("tags") for each in mappings(props.get("tagSpecifications"))}
        for kind in TAGGED_BY_TEMPLATE:
            yield f"each {kind} that it makes: ", _as_mapping(given.get(kind))
    if resource.resource_type == INSTANCE and not props.get("volumeTags"):
        yield "its root disk: ", _as_mapping((props.get("rootBlockDevice") or {}).get("tags"))
    elif resource.resource_type == INSTANCE:
        yield "its disks: ", _as_mapping(props["volumeTags"])


def _as_mapping(tags: Any) -> Mapping[str, Any]:
    """Tags as they mostly are; an auto-scaling group has them as a list of keys and values."""
    if isinstance(tags, Mapping) or not tags:
        return tags or {}
    return {each["key"]: each["value"] for each in tags}


def _instant(text: Any) -> datetime | None:
    return None if text is None else datetime.fromisoformat(str(text))

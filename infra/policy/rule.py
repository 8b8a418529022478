"""How a rule of the pack is written: a function that says what is wrong with a resource, or with a stack."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from pulumi_policy import (
    EnforcementLevel,
    PolicyConfigSchema,
    PolicyProviderResource,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": {"type": "string"}}


class Resource(Protocol):
    """What a rule sees of a resource, of one being made and of one of a whole stack alike."""

    resource_type: str
    """Pulumi's type token, such as `aws:ec2/vpc:Vpc`."""
    props: Mapping[str, Any]
    """Inputs, by Pulumi's names: `cidrBlocks`."""
    urn: str
    name: str
    provider: PolicyProviderResource | None
    """What makes it, such as AWS in one region; None where the engine does not say."""


Terms = Mapping[str, Any]
"""The pack's configuration for one rule: what this class has agreed to."""


def each(
    find: Callable[[Resource, Terms], Iterable[str]], name: str, schema: Mapping[str, Any] | None = None
) -> ResourceValidationPolicy:
    """A mandatory policy that asks a rule of every resource; the rule's docstring is the policy's description."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        for message in find(args, args.get_config()):
            report(f"{told(args)}: {message}", None)

    return ResourceValidationPolicy(
        name=name,
        description=_described(find),
        validate=validate,
        enforcement_level=EnforcementLevel.MANDATORY,
        config_schema=_schema(schema),
    )


def whole(
    find: Callable[[Sequence[PolicyResource], Terms], Iterable[tuple[Resource | None, str]]],
    name: str,
    schema: Mapping[str, Any] | None = None,
) -> StackValidationPolicy:
    """A mandatory policy that asks a rule of a stack; a complaint is of one resource, or of the stack."""

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        for resource, message in find(args.resources, args.get_config()):
            if resource is None:
                report(f"the stack: {message}", None)
            else:
                report(f"{told(resource)}: {message}", resource.urn)

    return StackValidationPolicy(
        name=name,
        description=_described(find),
        validate=validate,
        enforcement_level=EnforcementLevel.MANDATORY,
        config_schema=_schema(schema),
    )


def told(resource: Resource) -> str:
    """A resource by its type and name."""
    return f"{resource.resource_type} {resource.name}"


def belongs(part: PolicyResource, resource: PolicyResource, key: str) -> bool:
    """Whether a resource says by one of its inputs that it is a part of another, such as a bucket's encryption."""
    known = part.property_dependencies.get(key)
    if known:
        return any(each.urn == resource.urn for each in known)
    named = part.props.get(key)
    return named is not None and named == resource.props.get(key)


def mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    """What is a list of mappings, one mapping, or nothing, as mappings."""
    if isinstance(value, Mapping):
        yield value
    elif value:
        yield from value


def _described(find: Callable[..., Any]) -> str:
    return " ".join((find.__doc__ or "").split())


def _schema(properties: Mapping[str, Any] | None) -> PolicyConfigSchema | None:
    return PolicyConfigSchema(dict(properties), sorted(properties)) if properties else None

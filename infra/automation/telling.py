"""Pulumi's engine events as ours: what is to be done, what is under way, and what went wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pulumi.automation import EngineEvent

from clusterlab.course.events import Change, Diagnostic, Event, Step, Violation

COLOUR = re.compile(r"<\{%[^%]*%\}>")
"""Pulumi's marks of colour in what it says."""
PROVIDER = "pulumi:providers:"
SILENT = ("same", "read", "refresh")
"""Operations that change nothing."""


@dataclass(kw_only=True)
class Teller:
    """Tells the events of one operation."""

    tell: Callable[[Event], None]
    planning: bool = False
    """Whether it is a preview, of which each step is a change to come."""
    regions: dict[str, str] = field(default_factory=dict)
    """By the URN of a provider."""

    def __call__(self, event: EngineEvent) -> None:
        """Tell one event, where it is worth it."""
        for told in self._told(event):
            self.tell(told)

    def _told(self, event: EngineEvent) -> Iterator[Event]:
        if event.resource_pre_event:
            yield from self._began(event.resource_pre_event.metadata)
        elif event.res_outputs_event and not self.planning:
            yield from _step(event.res_outputs_event.metadata, "done")
        elif event.res_op_failed_event:
            yield from _step(event.res_op_failed_event.metadata, "failed")
        elif event.diagnostic_event and event.diagnostic_event.severity in ("warning", "error"):
            said = event.diagnostic_event
            yield Diagnostic(severity=said.severity, message=_plain(said.message), name=name_of(said.urn or ""))
        elif event.policy_event:
            broken = event.policy_event
            mandatory = broken.enforcement_level == "mandatory"
            yield Violation(policy=broken.policy_name, message=_plain(broken.message), mandatory=mandatory)

    def _began(self, metadata: Any) -> Iterator[Event]:
        state = metadata.new or metadata.old
        inputs = dict(state.inputs or {}) if state else {}
        if metadata.type.startswith(PROVIDER):
            self.regions[metadata.urn] = str(inputs.get("region") or "")
        elif not self.planning:
            yield from _step(metadata, "began")
        elif state and state.custom is not False:
            provider = (state.provider or metadata.provider or "").rpartition("::")[0]
            region = str(inputs.get("region") or self.regions.get(provider, ""))
            name = name_of(metadata.urn)
            yield Change(op=str(metadata.op.value), kind=metadata.type, name=name, region=region, inputs=inputs)


def name_of(urn: str) -> str:
    """A resource's name, which is the last part of its URN."""
    return urn.rpartition("::")[2]


def _step(metadata: Any, phase: str) -> Iterator[Step]:
    if metadata.op.value not in SILENT:
        yield Step(op=str(metadata.op.value), kind=metadata.type, name=name_of(metadata.urn), phase=phase)


def _plain(message: str) -> str:
    return COLOUR.sub("", message).strip()

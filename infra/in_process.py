"""Run a Pulumi program in this process, without an engine: what answers for the cloud is given."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable

from pulumi.runtime import mocks
from pulumi.runtime.settings import SETTINGS, set_root_resource
from pulumi.runtime.stack import run_in_stack
from pulumi.runtime.sync_await import _sync_await

PROJECT = "clusterlab"


def run(program: Callable[[], object], *, answers: mocks.Mocks, monitor: mocks.MockMonitor, stack: str) -> None:
    """Run a program to its end as Pulumi's language host does; whatever it raises is raised.

    Args:
        program: Registers resources and exports, as `infra/__main__.py` does.
        answers: What the cloud would say of each resource.
        monitor: Hears each resource, and what the stack exports.
        stack: What Pulumi calls the stack.
    """
    asyncio.set_event_loop(_loop())
    mocks.set_mocks(answers, project=PROJECT, stack=stack, preview=False, monitor=monitor)
    # The mocks begin a stack of their own; a program wants to be the only one, with nothing left of the one before.
    set_root_resource(None)  # type: ignore[arg-type]
    SETTINGS.rpc_manager.clear()
    SETTINGS.outputs.clear()

    def ran() -> None:
        program()

    try:
        _sync_await(run_in_stack(ran))
    finally:
        set_root_resource(None)  # type: ignore[arg-type]


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """One for all programs: asyncio.run() leaves a thread without, and this one keeps those in which mocks answer."""
    return asyncio.new_event_loop()

"""Apply a Pulumi program to the emulated account at `AWS_ENDPOINT_URL`."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pulumi.runtime import mocks, rpc

from clusterlab.errors import InputError, Problem
from clusterlab.loopback import is_loopback
from infra.emulated.account import Account
from infra.emulated.mocks import EmulatedMocks
from infra.emulated.state import State
from infra.in_process import run

ENDPOINT = "AWS_ENDPOINT_URL"


@dataclass(frozen=True, kw_only=True, slots=True)
class Applied:
    """What a program made."""

    exports: dict[str, Any]
    """Of the stack, as `pulumi stack output` has them; a secret is its value."""
    made: tuple[tuple[str, str, str], ...]
    """Type, name and id of each resource of AWS, in order."""
    not_emulated: tuple[str, ...]
    """What was only checked: type and name, and AWS's operation where its models were asked."""


def apply(program: Callable[[], None], *, region: str, stack: str = "emulated", state: State | None = None) -> Applied:
    """Run a program as Pulumi would, each resource made by boto3.

    Args:
        program: Registers resources and exports, as `infra/__main__.py` does.
        region: Where everything is made that has no region of its own.
        stack: What Pulumi calls the stack.
        state: What was made before, which is not made again, and where what is made now is noted.

    Raises:
        InputError: the endpoint is not this machine, or the cloud does not take a resource, which the message names.
    """
    emulated = EmulatedMocks(Account(endpoint=endpoint(), region=region), state)
    monitor = _Monitor(emulated)
    try:
        run(program, answers=emulated, monitor=monitor, stack=stack)
    finally:
        # Whatever else went wrong came of these.
        if emulated.problems:
            raise InputError(emulated.problems)
    return Applied(
        exports=monitor.exports, made=tuple(emulated.made), not_emulated=tuple(sorted(emulated.account.not_emulated))
    )


def endpoint() -> str:
    """Where the emulated cloud is: on this machine's loopback, so that nothing is ever made in a real one.

    Raises:
        InputError: `AWS_ENDPOINT_URL` is not set, or is somewhere else.
    """
    given = os.environ.get(ENDPOINT, "")
    if not is_loopback(urlsplit(given).hostname or ""):
        message = f"{given or 'not set'}; allowed: a loopback address, such as http://127.0.0.1:5000"
        raise InputError(Problem(path=ENDPOINT, message=message))
    return given


class _Monitor(mocks.MockMonitor):
    """Keeps what the stack exports."""

    def __init__(self, emulated: EmulatedMocks) -> None:
        super().__init__(emulated)
        self.exports: dict[str, Any] = {}

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 (Pulumi's)
        """Of all components and of the stack itself, which is the last."""
        if request.urn.split("::")[2] == "pulumi:pulumi:Stack":
            self.exports = _plain(rpc.deserialize_properties(request.outputs))
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def _plain(value: Any) -> Any:
    """A value without the marks that Pulumi puts on secrets."""
    if isinstance(value, dict):
        if rpc._special_sig_key in value:
            return _plain(value.get("value"))
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value

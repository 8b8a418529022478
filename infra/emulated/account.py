"""The emulated account: AWS's own operations, with arguments as Pulumi's provider is given them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from botocore.validate import ParamValidator

from infra.emulated.shape import shaped

ERRORS = (ClientError, BotoCoreError)
"""What boto3 raises for an argument, or for the answer."""


class RefusedError(Exception):
    """AWS would not take what a resource was given; the message says what."""


@dataclass(kw_only=True)
class Account:
    """One account, reached at one address, and with no credentials that any other would take."""

    endpoint: str
    region: str
    """Where everything is made that has no region of its own."""
    session: Any = field(default_factory=lambda: boto3.session.Session("emulated", "emulated"))
    not_emulated: list[str] = field(default_factory=list)
    """What was only held against AWS's models, since nothing here can make it: type, name and operation."""
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _number: str | None = None

    @property
    def number(self) -> str:
        """Of the account, as the cloud says it."""
        if self._number is None:
            self._number = str(self.call("sts", "get_caller_identity", {})["Account"])
        return self._number

    def at(self, region: str | None) -> Account:
        """The same account in another region."""
        return self if region in (None, self.region) else replace(self, region=region)

    def client(self, service: str) -> Any:
        """The client of a service; made once, and one at a time: boto3's session is for one thread."""
        where = (service, self.region)
        with self._lock:
            if where not in self._clients:
                self._clients[where] = self.session.client(service, region_name=where[1], endpoint_url=self.endpoint)
            return self._clients[where]

    def call(self, service: str, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Have the cloud do something, with arguments as the provider or as boto3 names them.

        Raises:
            RefusedError: an argument that no member takes, or a value that is none of those allowed.
            ClientError, BotoCoreError: what the models or the cloud say against it.
        """
        given = self.arguments(service, operation, arguments)
        answer: dict[str, Any] = getattr(self.client(service), operation)(**given)
        return answer

    def check(self, service: str, operation: str, arguments: Mapping[str, Any], *, what: str) -> None:
        """Hold arguments against AWS's models only, and write down that `what` is not emulated.

        Raises:
            RefusedError: AWS would not take them.
        """
        given = self.arguments(service, operation, arguments)
        client = self.client(service)
        shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation]).input_shape
        report = ParamValidator().validate(given, shape)
        if report.has_errors():
            raise RefusedError(report.generate_report())
        self.not_emulated.append(f"{what}: {service} {operation}")

    def arguments(self, service: str, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of an operation in the shape that botocore has for them.

        Raises:
            RefusedError: every one that no member takes or whose value is none of those allowed.
        """
        client = self.client(service)
        model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
        if model.input_shape is None:
            return {}
        problems: list[str] = []
        given: dict[str, Any] = shaped(model.input_shape, arguments, operation, problems)
        if problems:
            raise RefusedError("; ".join(problems))
        return given

    def arn(self, service: str, what: str) -> str:
        """The ARN of something of this account in its region."""
        return f"arn:aws:{service}:{self.region}:{self.number}:{what}"

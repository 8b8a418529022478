"""The course server of a class that was just brought up, which is waited for: it makes itself in minutes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from clusterlab.course.place import SHOWN, write
from clusterlab.course.students.token_service import TokenService
from clusterlab.course.students.tokens import CERTIFICATE
from clusterlab.errors import ClusterlabError, UnreachableError

if TYPE_CHECKING:
    from clusterlab.reaper.cloud import Cloud

ENDPOINT, SECRET, AUTHORITY = "aws_server_endpoint", "aws_server_secret", "aws_server_certificate"
"""What a stack exports of its server."""
PATIENCE_SECONDS, PAUSE_SECONDS = 900.0, 10.0
LINE = "ADMIN_PASSWORD="
"""Of the secret: what the machine made itself."""
NOT_YET = ("ResourceNotFoundException", "NoSuchKey", "404")
"""What AWS says of a secret and an object that the machine has not written."""
Sleep = Callable[[float], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """How a class's server is reached."""

    outputs: Mapping[str, Any]
    cloud: Cloud
    folder: Path
    """Of the class, where the certificate is put."""
    sleep: Sleep = time.sleep

    def service(self, waiting: Callable[[], None]) -> TokenService:
        """The server, once it is well; `waiting` is called where it is not at once.

        Raises:
            UnreachableError: it was not for a quarter of an hour.
            ClusterlabError: AWS refuses its secret or its certificate.
        """
        left = PATIENCE_SECONDS
        while (found := self._service()) is None or not found.is_well():
            if left == PATIENCE_SECONDS:
                waiting()
            if left <= 0:
                told = f"not well after {PATIENCE_SECONDS / 60:.0f} minutes; the same command goes on from here"
                raise UnreachableError(f"{self.outputs[ENDPOINT]}: {told}; docs/server.md says where its log is")
            self.sleep(PAUSE_SECONDS)
            left -= PAUSE_SECONDS
        return found

    def _service(self) -> TokenService | None:
        """None while the machine has not written its password, or its certificate."""
        password, place = self._password(), str(self.outputs.get(AUTHORITY) or "")
        certificate = self._object(place) if place else ""
        if password is None or certificate is None:
            return None
        if certificate:
            write(self.folder / CERTIFICATE, certificate, mode=SHOWN)
        authority = self.folder / CERTIFICATE if certificate else None
        return TokenService(endpoint=str(self.outputs[ENDPOINT]).rstrip("/"), password=password, authority=authority)

    def _password(self) -> str | None:
        secret = str(self.outputs.get(SECRET) or "")
        region = secret.split(":")[3] if secret.count(":") > 3 else self.cloud.home
        client = self.cloud.client("secretsmanager", region)
        text = _answered(f"secret {secret}", lambda: client.get_secret_value(SecretId=secret)["SecretString"])
        lines = [] if text is None else text.splitlines()
        return next((each.removeprefix(LINE) for each in lines if each.startswith(LINE)), None)

    def _object(self, place: str) -> str | None:
        parts = urlsplit(place)
        client = self.cloud.client("s3", self.cloud.home)
        return _answered(
            place, lambda: client.get_object(Bucket=parts.netloc, Key=parts.path[1:])["Body"].read().decode()
        )


def _answered(what: str, ask: Callable[[], str]) -> str | None:
    """What AWS answers; None where it is not there yet."""
    from clusterlab.reaper.cloud import ERRORS, code_of, told

    try:
        return ask()
    except ERRORS as error:
        if code_of(error) in NOT_YET:
            return None
        raise ClusterlabError(f"{what}: {told(error)}") from error

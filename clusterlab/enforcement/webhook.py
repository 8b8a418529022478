"""Notices to a webhook as Slack has them: one JSON object with `text`. Its URL is the secret, and is never shown."""

from __future__ import annotations

import hashlib
import http.client
import json
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from clusterlab.enforcement.notice import Notice
from clusterlab.errors import ClusterlabError, UnreachableError

TIMEOUT_SECONDS = 20.0
BAD_REQUEST = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class Webhook:
    """One incoming webhook, by its URL."""

    url: str
    timeout_seconds: float = TIMEOUT_SECONDS

    @property
    def service(self) -> str:
        """The webhook itself: one that was taken away does not answer, and others of its host do."""
        return self.name

    @property
    def name(self) -> str:
        """Its host, and a digest of the rest."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}/ ({hashlib.sha256(self.url.encode()).hexdigest()[:8]})"

    def notify(self, notice: Notice) -> None:
        """Post it.

        Raises:
            UnreachableError: nobody answers in time, or with anything but that it is done.
            ClusterlabError: the notice is refused.
        """
        body = json.dumps({"text": f"*{notice.subject}*\n{notice.text}"})
        status = self._post(body.encode())
        if not 200 <= status < 300:
            kind = ClusterlabError if status == BAD_REQUEST else UnreachableError
            raise kind(f"answers {status} {http.client.responses.get(status, '')}".rstrip())

    def _post(self, body: bytes) -> int:
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        connection = (
            http.client.HTTPSConnection(
                host, parts.port, timeout=self.timeout_seconds, context=ssl.create_default_context()
            )
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, parts.port, timeout=self.timeout_seconds)
        )
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        try:
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(f"{type(error).__name__}: {error}") from error
        finally:
            connection.close()

"""Compute Engine's REST API: lists of a whole project, page by page, and deletions; patient with throttling.

Source: https://cloud.google.com/compute/docs/reference/rest/v1 (`aggregatedList`, `delete`, errors).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

from clusterlab.google.credentials import access_token

ENDPOINT_VARIABLE = "GOOGLE_COMPUTE_CUSTOM_ENDPOINT"
"""As Pulumi's provider for Google Cloud reads it."""
ENDPOINT = "https://compute.googleapis.com/compute/v1/"
PAGE = 500
"""The largest that a list gives."""
TIMEOUT_SECONDS = 60.0
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between two tries."""
BUSY_STATUSES = (408, 429, 500, 502, 503, 504)
BUSY_REASONS = ("rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded")
"""Of a 403 that says nothing of rights."""


class GoogleError(Exception):
    """What the API refused, or that it does not answer."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {' '.join(message.split())}")
        self.status, self.reason = status, reason
        """The HTTP status, 0 where there was no answer; and the API's own word."""

    @property
    def busy(self) -> bool:
        """Whether the same call may go through later."""
        return self.status == 0 or self.status in BUSY_STATUSES or self.reason in BUSY_REASONS


@dataclass(kw_only=True, slots=True)
class Compute:
    """A project, by the token of whoever asks."""

    project: str
    token: Callable[[], str] = access_token
    endpoint: str = field(default_factory=lambda: os.environ.get(ENDPOINT_VARIABLE) or ENDPOINT)
    sleep: Callable[[float], None] = time.sleep
    _token: str = ""

    def aggregated(self, collection: str, query: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """What a collection has in each zone and region, such as `zones/us-east1-b` with its answer, on all pages.

        Raises:
            GoogleError: it is refused, or nobody answers.
            InputError: there are no credentials.
        """
        page: str | None = ""
        while page is not None:
            asked = {"filter": query, "maxResults": str(PAGE)} | ({"pageToken": page} if page else {})
            path = f"projects/{quote(self.project)}/aggregated/{collection}?{urlencode(asked)}"
            answer = self._call("GET", path)
            for each in answer.get("unreachables") or ():
                yield str(each), {"warning": {"code": "UNREACHABLE"}}
            yield from (answer.get("items") or {}).items()
            page = answer.get("nextPageToken") or None

    def delete(self, path: str) -> None:
        """Ask for the end of what has this path, such as `projects/p/zones/us-east1-b/instances/i`.

        Raises:
            GoogleError: it is refused, or nobody answers.
            InputError: there are no credentials.
        """
        self._call("DELETE", quote(path))

    def _call(self, method: str, path: str) -> dict[str, Any]:
        for pause in (*PAUSES, None):
            try:
                return self._once(method, path)
            except GoogleError as error:
                if pause is None or not error.busy:
                    raise
                self.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _once(self, method: str, path: str) -> dict[str, Any]:
        self._token = self._token or self.token()
        request = Request(f"{self.endpoint.rstrip('/')}/{path}", method=method)  # noqa: S310 (https, or a test's)
        request.add_header("Authorization", f"Bearer {self._token}")
        try:
            with urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
                found = json.loads(answer.read())
        except HTTPError as error:
            with error:
                raise _refusal(error.code, error.read()) from None
        except (URLError, OSError, HTTPException) as error:
            raise GoogleError(0, "unreachable", str(getattr(error, "reason", error))) from error
        except ValueError as error:
            raise GoogleError(0, "no JSON", str(error)) from error
        if not isinstance(found, dict):
            raise GoogleError(0, "no JSON", "an answer that is no object")
        return found


def _refusal(status: int, body: bytes) -> GoogleError:
    """An error as the API words it: `{"error": {"code", "message", "errors": [{"reason"}]}}`."""
    try:
        told = json.loads(body)["error"]
        reasons = [str(each["reason"]) for each in told.get("errors") or () if "reason" in each]
        return GoogleError(status, (reasons or [str(told.get("status") or status)])[0], str(told["message"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return GoogleError(status, f"HTTP {status}", body.decode(errors="replace")[:200])

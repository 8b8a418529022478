"""What a registry says of an image, by the OCI distribution specification: the digest of a manifest that it sends.

The manifest itself is fetched, not only its header, and the digest computed from what came: it is what builds trust.
Public images are asked for as anybody may: with the token that the registry's own challenge leads to.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import urlencode, urlsplit

from clusterlab.errors import ClusterlabError, UnreachableError

TIMEOUT_SECONDS = 30.0
MAX_MANIFEST_BYTES = 4 * 1024**2
"""The most that the specification wants a registry to take."""
DOCKER_HUB = "docker.io"
HOSTS = {DOCKER_HUB: "registry-1.docker.io"}
"""Where an image's host is not its registry's."""
ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
"""The index of all platforms first: its digest is the one that fits every machine."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_UNAUTHORIZED = 401
_WHY = {
    401: "wants a password: no such repository, or not a public one",
    403: "refuses it: no such repository, or not a public one",
    404: "has no such image",
}


class RefusedError(ClusterlabError):
    """The registry answers, and not with this image."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Registry:
    """One registry, by its URL."""

    url: str
    """Such as `https://ghcr.io`, or `http://127.0.0.1:5000` on this machine."""
    timeout_seconds: float = TIMEOUT_SECONDS

    @classmethod
    def of(cls, host: str) -> Registry:
        """That of an image's host."""
        return cls(url=f"https://{HOSTS.get(host, host)}")

    def digest(self, path: str, reference: str) -> str:
        """The digest of a manifest, by a tag or a digest, computed from the manifest itself.

        Raises:
            RefusedError: there is none, nobody may see it, or what came is not what its digest says.
            UnreachableError: nobody answers in time, or with anything else.
        """
        body, said = self._manifest(path, reference)
        computed = f"sha256:{hashlib.sha256(body).hexdigest()}"
        promised = reference if reference.startswith("sha256:") else said
        for wanted in (said, promised):
            if wanted and wanted != computed:
                raise RefusedError(f"promises {wanted} and sends {computed}")
        return computed

    def _manifest(self, path: str, reference: str) -> tuple[bytes, str]:
        """A manifest, and its digest as the header has it."""
        # Docker Hub keeps its own images in a folder that their names leave out.
        path = path if "/" in path or urlsplit(self.url).hostname != HOSTS[DOCKER_HUB] else f"library/{path}"
        request = urllib.request.Request(f"{self.url}/v2/{path}/manifests/{reference}", headers={"Accept": ACCEPT})  # noqa: S310
        try:
            body, headers = self._get(request)
        except urllib.error.HTTPError as error:
            if error.code != _UNAUTHORIZED:
                raise _failed(error) from error
            # Not sent on to wherever the registry redirects to.
            request.add_unredirected_header("Authorization", f"Bearer {self._token(error.headers)}")
            try:
                body, headers = self._get(request)
            except urllib.error.HTTPError as second:
                raise _failed(second) from second
        return body, headers.get("Docker-Content-Digest", "")

    def _token(self, headers: Message) -> str:
        """The token that anybody gets at the place that the challenge names."""
        kind, _, rest = headers.get("WWW-Authenticate", "").partition(" ")
        parameters = dict(_PARAMETER.findall(rest))
        realm = parameters.pop("realm", "")
        if kind.lower() != "bearer" or not is_safe(realm):
            raise RefusedError(_WHY[_UNAUTHORIZED])
        query = urlencode({key: parameters[key] for key in ("service", "scope") if key in parameters})
        request = urllib.request.Request(f"{realm}{'&' if '?' in realm else '?'}{query}")  # noqa: S310
        try:
            answer: Any = json.loads(self._get(request)[0])
            return str(answer.get("token") or answer["access_token"])
        except urllib.error.HTTPError as error:
            raise _failed(error) from error
        except (ValueError, LookupError, AttributeError) as error:
            raise UnreachableError("answers without a token") from error

    def _get(self, request: urllib.request.Request) -> tuple[bytes, Message]:
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_seconds) as answer:  # noqa: S310 (is_safe)
                body = answer.read(MAX_MANIFEST_BYTES + 1)
                headers: Message = answer.headers
        except urllib.error.HTTPError:
            raise
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise UnreachableError(f"does not answer: {type(reason).__name__}: {reason}") from error
        if len(body) > MAX_MANIFEST_BYTES:
            raise RefusedError(f"sends a manifest of more than {MAX_MANIFEST_BYTES} bytes")
        return body, headers


def is_safe(url: str) -> bool:
    """Whether a URL is of HTTPS, or stays on this machine."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK))


def _failed(error: urllib.error.HTTPError) -> ClusterlabError:
    with error:
        if error.code in _WHY:
            return RefusedError(f"{_WHY[error.code]} ({error.code})")
        return UnreachableError(f"answers {error.code} {error.reason}".rstrip())

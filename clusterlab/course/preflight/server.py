"""Whether the course's policy is active: in SkyPilot's configuration of the repository, and on the course server.

The server is asked as any client may: whether it is well, and to validate a task without tags, which it must refuse.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import yaml

from clusterlab.course.config import ADMIN_POLICY
from clusterlab.course.preflight.check import Check, Verdict, failed, not_asked, passed, warned
from clusterlab.course.preflight.subject import Subject
from clusterlab.errors import ClusterlabError
from clusterlab.loopback import is_loopback

NAME, POLICY = "server", "policy"
FILE = ".sky.yaml"
ENDPOINT_VARIABLE = "SKYPILOT_API_SERVER_ENDPOINT"
TOKEN_VARIABLE = "SKYPILOT_SERVICE_ACCOUNT_TOKEN"  # noqa: S105 (a name)
AUTHORITY_VARIABLE = "REQUESTS_CA_BUNDLE"
"""What SkyPilot's client, which uses requests, trusts a server's certificate by."""
EXPORT = "aws_server_endpoint"
TIMEOUT_SECONDS = 15.0
WELL = ("healthy", "needs_auth")
"""States of a server that works; the second of one that does not know who asks."""
REFUSAL = "the course refuses it"
"""How a refusal of `clusterlab.policy` begins."""
FAULT = "resources.labels.course: missing"
"""What it must name of the task."""
UNTAGGED = "name: preflight\nresources: {infra: aws, cpus: 2+}\nrun: 'true'\n"
QUESTION: Mapping[str, Any] = {"dag": UNTAGGED, "env_vars": {}, "request_options": None}
"""What SkyPilot's `/validate` takes."""
Outputs = Callable[[], Mapping[str, Any]]


def look_here(subject: Subject) -> Iterator[Check]:
    """The configuration that each launch from the repository reads."""
    path = subject.root / FILE
    try:
        values = yaml.safe_load(path.read_text()) if path.is_file() else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        values, why = None, f"{FILE} cannot be read: {' '.join(str(error).split())}"
    else:
        why = f"{FILE}: no such file" if values is None else f"{FILE} names another or none"
    if isinstance(values, dict) and values.get("admin_policy") == ADMIN_POLICY:
        yield passed(POLICY, f"{FILE} names {ADMIN_POLICY}")
    else:
        yield failed(POLICY, why, f"write `admin_policy: {ADMIN_POLICY}` into {FILE}; `clusterlab class config` does")


def look(subject: Subject, outputs: Outputs) -> Iterator[Check]:
    """The course server, by the variable that names it or else by what the stack exports."""
    if not subject.cluster.server:
        yield passed(NAME, "the class has none; each student's SkyPilot has the policy, who could take it away")
        return
    try:
        endpoint = os.environ.get(ENDPOINT_VARIABLE) or str(outputs().get(EXPORT) or "")
    except ClusterlabError as error:
        endpoint, why = "", f"; the stack: {error}"
    else:
        why = f"; the stack has no {EXPORT}"
    if not endpoint:
        yield not_asked(
            NAME, f"{ENDPOINT_VARIABLE} is not set{why}", f"`clusterlab class up`, or set {ENDPOINT_VARIABLE}"
        )
        return
    yield from _asked(endpoint.rstrip("/"))


def _asked(endpoint: str) -> Iterator[Check]:
    parts = urlsplit(endpoint)
    safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if not safe or parts.username or parts.password:
        todo = f"allowed in {ENDPOINT_VARIABLE}: https://HOST, with the token in {TOKEN_VARIABLE}"
        yield failed(NAME, "its address is not encrypted, or has a password in it", todo)
        return
    health = _health(endpoint)
    yield health
    if health.verdict is Verdict.PASS:
        yield _refuses(endpoint)


def _health(endpoint: str) -> Check:
    todo = f"`systemctl status skypilot-api nginx` on it; its certificate is trusted by {AUTHORITY_VARIABLE}"
    code, answer = _call(endpoint, "/api/health", None)
    status = str(answer.get("status")) if code == http.client.OK else str(answer.get("detail", ""))
    if code == http.client.OK and status in WELL:
        return passed(NAME, f"{endpoint} is {status}, SkyPilot {answer.get('version', 'unknown')}")
    return failed(NAME, f"{endpoint}/api/health: {code or 'no answer'} {status}".rstrip(), todo)


def _refuses(endpoint: str) -> Check:
    """A task without tags, which is only validated: nothing would be launched."""
    code, answer = _call(endpoint, "/validate", QUESTION)
    detail = answer.get("detail")
    said = str(detail.get("message") if isinstance(detail, dict) else detail or "")
    if code == http.client.OK:
        todo = f"have its configuration name {ADMIN_POLICY} or the course's ServedPolicy, and restart it"
        return failed(POLICY, f"{endpoint} lets a task without tags pass", todo)
    if code in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
        return not_asked(POLICY, f"{endpoint} wants a token ({code})", f"put one into {TOKEN_VARIABLE}")
    if code == http.client.BAD_REQUEST and REFUSAL in said and FAULT in said:
        return passed(POLICY, f"{endpoint} refuses a task without tags")
    return warned(
        POLICY,
        f"{endpoint}/validate: {code or 'no answer'} {said[:200]}".rstrip(),
        "see its log: it was not the policy",
    )


def _call(endpoint: str, path: str, body: Mapping[str, Any] | None) -> tuple[int, Mapping[str, Any]]:
    """The status and the JSON of an answer; 0 with a `detail` where there is none."""
    headers = {"Content-Type": "application/json"}
    token = os.environ.get(TOKEN_VARIABLE)
    if token and body is not None:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(endpoint + path, data=data, headers=headers)  # noqa: S310 (https or loopback)
    try:
        with _opened(request, endpoint) as answer:
            return answer.status, _mapping(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _mapping(error.read())
    except (OSError, http.client.HTTPException) as error:
        return 0, {"detail": f"{type(error).__name__}: {getattr(error, 'reason', error)}"}


def _opened(request: urllib.request.Request, endpoint: str) -> Any:
    bundle = os.environ.get(AUTHORITY_VARIABLE)
    context = ssl.create_default_context(cafile=bundle) if endpoint.startswith("https:") else None
    return urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS, context=context)  # noqa: S310


def _mapping(text: bytes) -> Mapping[str, Any]:
    try:
        values = json.loads(text)
    except ValueError:
        return {"detail": text[:200].decode(errors="replace")}
    return values if isinstance(values, dict) else {"detail": values}

"""Ask a server as its clients do: OpenAI's package, curl, a socket that hangs up, and many that say nothing."""

from __future__ import annotations

import json
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from clusterlab.local import keeper
from jobs.serving.endpoint import Endpoint
from tests.repository import marked


def openai_client(endpoint: Endpoint) -> Any:
    """OpenAI's own client, which tries nothing twice."""
    import openai

    return openai.OpenAI(base_url=f"{endpoint.url}/v1", api_key=endpoint.api_key, max_retries=0, timeout=120)


def ask(endpoint: Endpoint, path: str, body: Any = None, *, key: bool = True) -> tuple[int, Any]:
    """The status and the object that a path answers; a body of bytes goes as it is."""
    content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} | (endpoint.headers if key else {})
    request = urllib.request.Request(endpoint.url + path, content, headers)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    return status, json.loads(text) if text else None


def curl(endpoint: Endpoint, path: str, body: Any) -> str:
    """What curl prints; the key is in no argument."""
    head = "".join(f'header = "{name}: {value}"\n' for name, value in endpoint.headers.items())
    command = ["curl", "-sSN", "--config", "-", "--json", json.dumps(body), endpoint.url + path]
    return subprocess.run(command, input=head, capture_output=True, text=True, check=True).stdout


def hang_up(endpoint: Endpoint, path: str, body: Any, *, after: bytes = b"") -> None:
    """Ask, read until `after` has come, and close the connection in the middle of the answer."""
    address = urlsplit(endpoint.url)
    content = json.dumps(body).encode()
    head = "".join(f"{name}: {value}\r\n" for name, value in endpoint.headers.items())
    request = f"POST {path} HTTP/1.1\r\nHost: {address.netloc}\r\n{head}Content-Length: {len(content)}\r\n\r\n"
    with socket.create_connection((str(address.hostname), address.port), timeout=60) as connection:
        connection.sendall(request.encode() + content)
        came = b""
        while after not in came:
            came += connection.recv(65536)


@contextmanager
def idle_connections(endpoint: Endpoint, number: int) -> Iterator[None]:
    """So many connections that say nothing."""
    address = urlsplit(endpoint.url)
    with ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(socket.create_connection((str(address.hostname), address.port), timeout=60))
        yield


def resident_mib(mark: str) -> float:
    """Memory of all processes with a mark, without that of their keeper."""
    total = 0
    for pid in marked(mark):
        status = Path(f"/proc/{pid}/status")
        if keeper.__file__ not in Path(f"/proc/{pid}/cmdline").read_text():
            total += sum(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
    return total / 2**10

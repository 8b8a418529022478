"""A registry of the tests' own: Debian's `docker-registry`, the reference one, on the loopback and in a folder."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PROGRAM = shutil.which("docker-registry")
INSTALL = "apt-get install docker-registry"
START_SECONDS = 30
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """A registry that runs."""

    url: str

    def push(self, path: str, tag: str, *, content: str) -> str:
        """Push an image of one platform as an index, as published images are; the index's digest."""
        config = json.dumps({"architecture": "amd64", "os": "linux", "content": content}).encode()
        blob = self._blob(path, config)
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": blob, "layers": []}
        inner = self._manifest(path, "inner", MANIFEST, manifest)
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [inner]}
        return str(self._manifest(path, tag, INDEX, index)["digest"])

    def _blob(self, path: str, body: bytes) -> dict[str, Any]:
        begun = self._send("POST", f"{self.url}/v2/{path}/blobs/uploads/", b"")
        digest = digest_of(body)
        headers = {"Content-Type": "application/octet-stream"}
        self._send("PUT", f"{begun['Location']}&digest={digest}", body, headers)
        return {"mediaType": "application/vnd.oci.image.config.v1+json", "size": len(body), "digest": digest}

    def _manifest(self, path: str, tag: str, kind: str, document: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps(document).encode()
        self._send("PUT", f"{self.url}/v2/{path}/manifests/{tag}", body, {"Content-Type": kind})
        return {"mediaType": kind, "size": len(body), "digest": digest_of(body)}

    def _send(self, method: str, url: str, body: bytes, headers: Mapping[str, str] | None = None) -> Mapping[str, str]:
        # Any Authorization does where tokens are asked for.
        every = {"Authorization": "Bearer pusher", **(headers or {})}
        with urllib.request.urlopen(urllib.request.Request(url, body, every, method=method)) as answer:
            return dict(answer.headers)


def digest_of(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


@contextmanager
def registry(folder: Path, *, auth: Mapping[str, Any] | None = None) -> Iterator[Server]:
    """Start one, whose `auth` is as its configuration has it, and end it."""
    assert PROGRAM is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": f"127.0.0.1:{port}", "secret": "of the tests"},
    }
    (folder / "config.yml").write_text(yaml.safe_dump(settings | ({"auth": dict(auth)} if auth else {})))
    with (folder / "log").open("w") as log:
        command = [PROGRAM, "serve", str(folder / "config.yml")]
        with subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT) as process:
            try:
                _wait(process, f"http://127.0.0.1:{port}/v2/", folder / "log")
                yield Server(url=f"http://127.0.0.1:{port}")
            finally:
                process.terminate()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(url).close()
        except urllib.error.HTTPError as error:
            error.close()
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"the registry does not answer: {log.read_text()}")

"""A server of moto's on the loopback, empty for each module, as a rehearsal has one."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from clusterlab.rehearsal.cloud import _quiet_handler
from clusterlab.rehearsal.transport import take_for_tls

HERE = "us-east-1"


@pytest.fixture(scope="package")
def server() -> Iterator[str]:
    take_for_tls()
    app = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_quiet_handler())
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def endpoint(server: str) -> Iterator[str]:
    """Where the emulated cloud is, with nothing in it; everything here that asks AWS asks there."""
    urllib.request.urlopen(urllib.request.Request(f"{server}/moto-api/reset", method="POST")).close()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": server,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": HERE,
            "AWS_EC2_METADATA_DISABLED": "true",
            # Whatever goes wrong is asked once.
            "AWS_MAX_ATTEMPTS": "1",
            "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
            "MOTO_EC2_LOAD_DEFAULT_AMIS": "true",
        }.items():
            patch.setenv(name, value)
        yield server


@pytest.fixture(scope="module")
def session(endpoint: str) -> Any:
    del endpoint
    return boto3.session.Session()

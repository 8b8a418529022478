"""A Ray of a server's own, with Ray Serve in it: beside the one that the job runs in, and gone with the server."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.launch.embedded import ALONE, Embedded, embedded_ray
from jobs.launch.environments import ROOT


@contextmanager
def own_ray() -> Iterator[Embedded]:
    """It is on free ports of the loopback, let in by a token, and has no proxy of Ray Serve: who asks has a handle."""
    # Those of a Ray that this process was started by would lead there.
    for name in [name for name in os.environ if name.startswith("RAY_")]:
        del os.environ[name]
    # Read once, when Ray is imported; without `ALONE` it would be looked for at the address of the network card.
    token = secrets.token_urlsafe(32)
    os.environ.update({**ALONE, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token})
    with (
        tempfile.TemporaryDirectory(prefix="serve-") as folder,
        embedded_ray(root=ROOT, log=Path(folder) / "ray.log", token=token) as head,
    ):
        import ray
        from ray import serve as ray_serve

        ray.init(address=head.nodes_address, log_to_driver=True, logging_level="WARNING")
        try:
            ray_serve.start(proxy_location="Disabled")
            yield head
            ray_serve.shutdown()
        finally:
            ray.shutdown()

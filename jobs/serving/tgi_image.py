"""Run TGI's image by Docker, at a port of the loopback; a SIGTERM stops the container once its answers are given.

API_KEY=secret python -m jobs.serving.tgi_image ghcr.io/…@sha256:… folder --port 8000 -- --model-id /model
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from jobs.serving.endpoint import LOOPBACK
from jobs.serving.settings import DRAIN_SECONDS

PASSED = ("API_KEY", "HF_HUB_OFFLINE", "USAGE_STATS")
"""Variables of the container: Docker takes their values from this process, so that no argument shows the key."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m jobs.serving.tgi_image")
    parser.add_argument("image")
    parser.add_argument("model")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("options", nargs="*", help="of TGI, after --")
    options = parser.parse_args(arguments)
    name = f"clusterlab-tgi-{os.getpid()}"
    with subprocess.Popen(docker_run(name, options.image, options.model, options.port, options.options)) as container:
        stop = ["docker", "stop", f"--time={DRAIN_SECONDS}", name]
        signal.signal(signal.SIGTERM, lambda *_: subprocess.Popen(stop))
        container.wait()
    return container.returncode


def docker_run(name: str, image: str, model: str, port: int, options: Sequence[str]) -> list[str]:
    """The command: all GPUs, the model read-only, and a port that only this machine reaches."""
    return [
        *("docker", "run", "--rm", f"--name={name}", "--gpus=all", "--shm-size=1g", "--stop-signal=SIGTERM"),
        *(f"--publish={LOOPBACK}:{port}:80", f"--volume={model}:/model:ro"),
        *(f"--env={variable}" for variable in PASSED),
        *(image, *options),
    ]


if __name__ == "__main__":
    sys.exit(main())

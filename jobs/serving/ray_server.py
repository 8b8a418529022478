"""Serve folders by Ray Serve, behind OpenAI's protocol or TGI's, on the loopback.

CLUSTERLAB_API_KEY=secret python -m jobs.serving.ray_server folder --port 8000 --served-name small …

This process speaks HTTP and keeps every request until it is answered; the models are in replicas of a Ray of its own.
Ray Serve's own proxies are not started, so nothing but this process listens to clients.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jobs.launch.embedded import Embedded
from jobs.serving.endpoint import KEY_VARIABLE
from jobs.serving.generator import Vocabulary
from jobs.serving.openai_protocol import OpenAI
from jobs.serving.own_ray import own_ray
from jobs.serving.ray_backend import OnRay
from jobs.serving.settings import DRAIN_SECONDS
from jobs.serving.tgi_protocol import Tgi
from jobs.serving.web import Answering, serve

REPLICAS_PATH = "/replicas"
WAITING = 64
"""Requests a replica may have for each row of a batch: Ray Serve keeps the rest until one is free."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a SIGTERM, then give the answers that were asked for."""
    options = _parser().parse_args(arguments)
    key = os.environ.pop(KEY_VARIABLE)  # Replicas need it as little as Ray does.
    with own_ray() as head:
        backends = [_deploy(options, name, folder) for name, folder in _models(options).items()]
        serve(_protocol(options, backends, head), port=options.port, key=key)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m jobs.serving.ray_server")
    parser.add_argument("model")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--served-name", required=True)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--quantization")
    parser.add_argument("--max-model-len", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-rows", type=int, required=True, help="of a dynamic batch; 1 is without batching")
    parser.add_argument("--min-replicas", type=int, default=1)
    parser.add_argument("--max-replicas", type=int, default=1)
    parser.add_argument(
        "--share", type=float, default=1, help="of a GPU, or of a CPU where there is none, for a replica"
    )
    parser.add_argument("--protocol", choices=["openai", "tgi"], default="openai")
    parser.add_argument("--also", type=json.loads, default={}, help="further models, names and folders as JSON")
    parser.add_argument("--adapters", type=json.loads, default={}, help="of the first model, likewise")
    return parser


def _models(options: argparse.Namespace) -> dict[str, str]:
    return {options.served_name: options.model, **options.also}


def _deploy(options: argparse.Namespace, name: str, folder: str) -> OnRay:
    import ray
    from ray import serve as ray_serve

    from jobs.serving.ray_replica import Replica

    adapters = options.adapters if name == options.served_name else {}
    on_gpu = ray.cluster_resources().get("GPU", 0) > 0
    actor = {"num_cpus": 0.1, "num_gpus": options.share} if on_gpu else {"num_cpus": options.share}
    deployment = ray_serve.deployment(Replica).options(
        name=name,
        ray_actor_options=actor,
        max_ongoing_requests=WAITING * options.max_rows,
        graceful_shutdown_timeout_s=DRAIN_SECONDS,
        health_check_period_s=1,
        **_number_of_replicas(options),
    )
    model = {"folder": folder, "dtype": options.dtype, "quantization": options.quantization, "seed": options.seed}
    handle = ray_serve.run(deployment.bind(model, adapters, options.max_rows), name=name, route_prefix=None)
    vocabulary = Vocabulary.of(folder)
    return OnRay(
        served_name=name,
        vocabulary=vocabulary,
        max_model_len=options.max_model_len,
        handle=handle,
        adapters=tuple(adapters),
    )


def _number_of_replicas(options: argparse.Namespace) -> dict[str, Any]:
    if options.min_replicas == options.max_replicas:
        return {"num_replicas": options.min_replicas}
    return {
        "autoscaling_config": {
            "min_replicas": options.min_replicas,
            "max_replicas": options.max_replicas,
            "target_ongoing_requests": options.max_rows,
            "metrics_interval_s": 1,
            "look_back_period_s": 2,
            "upscale_delay_s": 2,
            "downscale_delay_s": 4,
        }
    }


def _protocol(options: argparse.Namespace, backends: Sequence[OnRay], head: Embedded) -> Answering:
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    protocol = Tgi(backends[0], device=device) if options.protocol == "tgi" else OpenAI(backends)

    async def replicas(_: Request) -> Response:
        return JSONResponse(await run_in_threadpool(_replicas, head))

    protocol.paths = {**protocol.paths, ("GET", REPLICAS_PATH): replicas}
    return protocol


def _replicas(head: Embedded) -> Mapping[str, list[dict[str, Any]]]:
    """The replicas of each model, with state and pid, as Ray Serve's REST API has them; one that starts has no pid."""
    request = urllib.request.Request(f"{head.address}/api/serve/applications/", headers=head.headers)  # noqa: S310 (our own address)
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 (our own address)
        applications = json.load(answer)["applications"]
    return {
        name: [
            {"id": replica["replica_id"], "pid": replica.get("pid"), "state": replica["state"]}
            for deployment in application["deployments"].values()
            for replica in deployment["replicas"]
        ]
        for name, application in applications.items()
    }


if __name__ == "__main__":
    sys.exit(main())

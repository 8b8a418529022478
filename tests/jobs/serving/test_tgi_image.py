"""How TGI's official image is started, and which images are refused before anything is."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from clusterlab.config import Scale, parse
from clusterlab.errors import InputError
from jobs.serve import Config
from jobs.serving.tgi import IMAGE, Tgi
from jobs.serving.tgi_image import docker_run
from tests.jobs.serving.conftest import settings_of


def test_the_image_is_started_so(folder: Path) -> None:
    engine = Tgi(image=IMAGE)
    settings = dataclasses.replace(settings_of(folder), model="/m", dtype="float16", tensor_parallel=2)
    command = engine.command(settings, 8000)
    assert command[:5] == ["-m", "jobs.serving.tgi_image", IMAGE, "/m", "--port=8000"]
    assert command[5:10] == ["--", "--model-id", "/model", "--num-shard", "2"]
    assert engine.key_variable == "API_KEY"
    run = docker_run("name", IMAGE, "/m", 8000, command[6:])
    assert "--publish=127.0.0.1:8000:80" in run
    assert "--env=API_KEY" in run
    assert run[run.index(IMAGE) + 1 :] == command[6:]


@pytest.mark.parametrize("image", ["ghcr.io/a/b:latest", "ghcr.io/a/b@sha256:abc", "b", "--privileged"])
def test_an_image_without_its_digest_is_refused_with_how_to_give_it(folder: Path, image: str) -> None:
    """By the job's Config, which is asked before a launch, and by the engine."""
    how = rf"TGI_IMAGE: '{image}'; allowed: one by its digest, such as TGI_IMAGE=ghcr\.io/huggingface/\S+@sha256:"
    for scale in Scale:
        with pytest.raises(InputError, match=how):
            parse(Config, {"SCALE": scale, "ENGINE": "tgi", "TGI_IMAGE": image})
    with pytest.raises(InputError, match=how):
        Tgi(image=image).command(settings_of(folder), 0)


def test_a_gpu_runs_the_pinned_image_and_a_cpu_our_endpoint(folder: Path) -> None:
    images = {scale: parse(Config, {"SCALE": scale, "ENGINE": "tgi"}).tgi_image for scale in Scale}
    assert images == {Scale.TINY: None, Scale.SMALL: None, Scale.SINGLE: IMAGE, Scale.FULL: IMAGE}
    command = Tgi().command(settings_of(folder), 0)
    assert (command[1], command[-1]) == ("jobs.serving.ray_server", "--protocol=tgi")

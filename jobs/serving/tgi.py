"""TGI: the official image on a GPU; elsewhere an endpoint of this project's own that speaks its protocol, on Ray Serve.

Text Generation Inference was archived in 2026. Its last images run on, so one is pinned by its digest, which no later
push can change.
"""

from __future__ import annotations

from dataclasses import dataclass

from clusterlab.errors import InputError, Problem
from clusterlab.images.image import PINNED
from jobs.launch.environments import OWN
from jobs.serving.ray_serve import RayServe
from jobs.serving.settings import ServerSettings

IMAGE_VARIABLE = "TGI_IMAGE"
IMAGE = (
    "ghcr.io/huggingface/text-generation-inference"
    "@sha256:e6b0af6e0bf65337b84a19f15d74660c7892192f555fb0b68d3f3d62bf0c1e9a"
)
"""As images/images.yaml has it, which says who verified it; `clusterlab check` holds them together."""
KEY_VARIABLE = "API_KEY"
"""TGI's own name for it."""


def image_problem(image: str | None) -> str | None:
    """What is wrong with an image before anything is launched; None of none is nothing."""
    if image is None or PINNED.fullmatch(image):
        return None
    return f"{image!r}; allowed: one by its digest, such as {IMAGE_VARIABLE}={IMAGE}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Tgi:
    """The official image where one is given, else our endpoint."""

    image: str | None = None
    """With registry and digest."""
    name: str = "tgi"
    environment: str = OWN
    health: str = "/health"

    @property
    def key_variable(self) -> str:
        """What the server reads its key from."""
        return RayServe().key_variable if self.image is None else KEY_VARIABLE

    def command(self, settings: ServerSettings, port: int) -> list[str]:
        """Our endpoint, or Docker with the image.

        Raises:
            InputError: something is asked for that it cannot do, or the image is not pinned.
        """
        if self.image is None:
            return [*RayServe(name=self.name).command(settings, port), "--protocol=tgi"]
        if (problem := image_problem(self.image)) is not None:
            raise InputError(Problem(path=IMAGE_VARIABLE, message=problem))
        if settings.pipeline_parallel != 1:
            message = f"{settings.pipeline_parallel}; allowed with tgi: 1"
            raise InputError(Problem(path="pipeline_parallel", message=message))
        return [
            *("-m", "jobs.serving.tgi_image", self.image, settings.model, f"--port={port}", "--"),
            *("--model-id", "/model", "--num-shard", str(settings.tensor_parallel)),
            *("--max-total-tokens", str(settings.max_model_len)),
            *("--max-input-tokens", str(settings.max_model_len - 1)),
            *("--max-concurrent-requests", str(max(128, settings.max_slots))),
            *("--max-batch-size", str(settings.max_slots)),
            *("--cuda-memory-fraction", str(settings.gpu_memory_utilization)),
            *([] if settings.dtype == "auto" else ["--dtype", settings.dtype]),
            *([] if settings.quantization is None else ["--quantize", settings.quantization]),
        ]

    def environ(self, settings: ServerSettings) -> dict[str, str]:
        """Nothing is asked of the hub, and nothing reported to it."""
        ours = RayServe().environ(settings)
        return ours if self.image is None else {"HF_HUB_OFFLINE": "1", "USAGE_STATS": "off"}

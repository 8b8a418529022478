"""vLLM (Kwon et al., 2023): paged attention and continuous batching behind OpenAI's protocol."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from jobs.launch.environments import folder_of
from jobs.serving.endpoint import LOOPBACK
from jobs.serving.settings import DRAIN_SECONDS, ServerSettings

CPU_CACHE_GIB = 1
"""For keys and values where there is no GPU; vLLM would take half of the machine's memory."""

DRIVER = Path("/proc/driver/nvidia/version")
"""There where GPUs are; by it the Makefile decides which build of vLLM is installed."""

JOB_CONFIG_VARIABLE = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""Ray's own name for it, and what a process that connects to a cluster reads its runtime environment from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Vllm:
    """`vllm serve`, as it is."""

    name: str = "vllm"
    environment: str = "vllm"
    key_variable: str = "VLLM_API_KEY"
    health: str = "/health"
    on_gpus: bool = field(default_factory=DRIVER.exists)

    def command(self, settings: ServerSettings, port: int) -> list[str]:
        """Tensor parallel in a node by processes; pipeline parallel by Ray, whose workers are on any node.

        vLLM's workers on Ray are for GPUs alone: on CPUs groups of layers are processes of this machine, too.
        """
        return [
            *("-m", "vllm.entrypoints.cli.main", "serve", settings.model),
            *(f"--host={LOOPBACK}", f"--port={port}", f"--served-model-name={settings.served_name}"),
            *(f"--dtype={settings.dtype}", f"--seed={settings.seed}"),
            *([] if settings.quantization is None else [f"--quantization={settings.quantization}"]),
            f"--tensor-parallel-size={settings.tensor_parallel}",
            f"--pipeline-parallel-size={settings.pipeline_parallel}",
            *(["--distributed-executor-backend=ray"] if self.over_ray(settings) else []),
            *(f"--max-model-len={settings.max_model_len}", f"--max-num-seqs={settings.max_slots}"),
            f"--gpu-memory-utilization={settings.gpu_memory_utilization}",
            _switch("enable-prefix-caching", on=settings.prefix_caching),
            _switch("enable-chunked-prefill", on=settings.chunked_prefill),
            *([] if settings.compiled or self._warms_up(settings) else ["--enforce-eager"]),
            # Sampling parameters are the client's alone, so that another engine answers the same.
            "--generation-config=vllm",
            *(f"--shutdown-timeout={DRAIN_SECONDS}", "--disable-uvicorn-access-log"),
        ]

    def environ(self, settings: ServerSettings) -> dict[str, str]:
        """Nothing is reported to anybody; one node talks to itself over its loopback."""
        variables = {"VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": str(CPU_CACHE_GIB)}
        # Else it binds its threads to cores, and waits for those while other cores of a shared machine are free.
        variables["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"
        if not self.over_ray(settings):
            return variables | {"VLLM_HOST_IP": LOOPBACK}
        # Ray starts its workers with the Python of the cluster, which has no vLLM.
        workers = {"runtime_env": {"py_executable": str(folder_of(self.environment) / "bin" / "python")}}
        return variables | {JOB_CONFIG_VARIABLE: json.dumps(workers | {"metadata": {}})}

    def over_ray(self, settings: ServerSettings) -> bool:
        """Whether the server asks a cluster for its workers."""
        return self.on_gpus and settings.pipeline_parallel > 1

    def _warms_up(self, settings: ServerSettings) -> bool:
        """Whether it must compile, asked or not.

        vLLM 0.32 makes room for what goes from layers to layers as it warms up, which it leaves out on CPUs where
        nothing is compiled; the first request then ends it.
        """
        return not self.on_gpus and settings.pipeline_parallel > 1


def _switch(name: str, *, on: bool) -> str:
    return f"--{name}" if on else f"--no-{name}"

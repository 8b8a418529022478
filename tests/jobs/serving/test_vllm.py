from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

from jobs.launch.environments import ROOT
from jobs.serving.settings import ServerSettings
from jobs.serving.vllm import Vllm

ONE = ServerSettings(model="/m", served_name="small", max_model_len=256, max_slots=32, compiled=False, seed=3)


def test_one_process_is_started_so() -> None:
    assert Vllm().command(ONE, 8000) == [
        *("-m", "vllm.entrypoints.cli.main", "serve", "/m"),
        *("--host=127.0.0.1", "--port=8000", "--served-model-name=small"),
        *("--dtype=auto", "--seed=3"),
        *("--tensor-parallel-size=1", "--pipeline-parallel-size=1"),
        *("--max-model-len=256", "--max-num-seqs=32", "--gpu-memory-utilization=0.9"),
        *("--enable-prefix-caching", "--enable-chunked-prefill", "--enforce-eager"),
        *("--generation-config=vllm", "--shutdown-timeout=30", "--disable-uvicorn-access-log"),
    ]
    assert Vllm().environ(ONE)["VLLM_HOST_IP"] == "127.0.0.1"


def test_two_nodes_of_eight_gpus_are_started_so() -> None:
    several = dataclasses.replace(
        ONE, tensor_parallel=8, pipeline_parallel=2, compiled=True, prefix_caching=False, chunked_prefill=False
    )
    several = dataclasses.replace(several, dtype="float16", quantization="awq", gpu_memory_utilization=0.8)
    assert Vllm(on_gpus=True).command(several, 8000) == [
        *("-m", "vllm.entrypoints.cli.main", "serve", "/m"),
        *("--host=127.0.0.1", "--port=8000", "--served-model-name=small"),
        *("--dtype=float16", "--seed=3", "--quantization=awq"),
        *("--tensor-parallel-size=8", "--pipeline-parallel-size=2", "--distributed-executor-backend=ray"),
        *("--max-model-len=256", "--max-num-seqs=32", "--gpu-memory-utilization=0.8"),
        *("--no-enable-prefix-caching", "--no-enable-chunked-prefill"),
        *("--generation-config=vllm", "--shutdown-timeout=30", "--disable-uvicorn-access-log"),
    ]
    # Workers on other nodes must reach this one.
    assert "VLLM_HOST_IP" not in Vllm(on_gpus=True).environ(several)


def test_groups_of_layers_on_cpus_are_processes_of_this_machine() -> None:
    engine, two = Vllm(on_gpus=False), dataclasses.replace(ONE, pipeline_parallel=2)
    command = engine.command(two, 8000)
    assert "--pipeline-parallel-size=2" in command
    assert "--distributed-executor-backend=ray" not in command
    assert "--enforce-eager" not in command
    assert engine.environ(two) == engine.environ(ONE)


def test_workers_on_the_cluster_run_the_environment_of_vllm() -> None:
    """With another environment in its place, which Ray is in; the cluster's Python is that of this test."""
    script = (
        "import ray, sys\n"
        "ray.init(address='local', num_cpus=1, include_dashboard=False, log_to_driver=False)\n"
        "print(ray.get(ray.remote(lambda: sys.executable).remote()))"
    )
    variables = Vllm(environment="train", on_gpus=True).environ(dataclasses.replace(ONE, pipeline_parallel=2))
    done = subprocess.run([sys.executable, "-c", script], env=os.environ | variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == str(ROOT / ".venv" / "train" / "bin" / "python")

"""Where and with what a run ran."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clusterlab.request import COMMIT_VARIABLE

PACKAGES = (
    *("accelerate", "bitsandbytes", "deepspeed", "megatron-core", "numpy", "peft", "ray", "torch", "torchao"),
    *("transformers", "trl", "vllm"),
)
"""Whose version decides what a job computes, where they are installed."""


def provenance(environment: Mapping[str, str]) -> dict[str, Any]:
    """Facts of this process and its machine, for the run's record.

    `commit` is None where nobody knows it, and ends in `-dirty` where files differed from it. `devices` has the GPUs
    that the driver shows, or `cpu`.
    """
    return {
        "commit": environment.get(COMMIT_VARIABLE),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu_model(),
        "num_cpus": os.cpu_count(),
        "devices": _gpus(Path("/proc/driver/nvidia/gpus")) or ["cpu"],
        "packages": _versions(),
    }


def _versions() -> dict[str, str]:
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _cpu_model() -> str:
    try:
        match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        match = None
    return match.group(1) if match else platform.processor() or platform.machine()


def _gpus(folder: Path) -> list[str]:
    """The models that NVIDIA's driver lists. torch would say the same, but only once it is imported."""
    models = []
    for path in sorted(folder.glob("*/information")):
        match = re.search(r"^Model:\s*(.+)$", path.read_text(), re.MULTILINE)
        models.append(match.group(1).strip() if match else "NVIDIA")
    return models

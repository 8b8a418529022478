"""The most memory that a server took: of the GPU where there is one, else of the processes below this one."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SAMPLED_SECONDS = 0.5
MIB = 2**20


@dataclass(kw_only=True, slots=True)
class Peak:
    """The greatest of what was seen so far."""

    mib: float = 0


@contextmanager
def peak_memory(read: Callable[[], float] | None = None) -> Iterator[Peak]:
    """Look again and again while the block lasts, and once at its end; `read` returns MiB."""
    read = read or (gpu_mib if Path("/proc/driver/nvidia/version").exists() else children_mib)
    peak, done = Peak(), threading.Event()

    def look() -> None:
        peak.mib = max(peak.mib, read())

    def keep_looking() -> None:
        while not done.wait(SAMPLED_SECONDS):
            look()

    thread = threading.Thread(target=keep_looking, name="memory", daemon=True)
    thread.start()
    try:
        yield peak
        look()
    finally:
        done.set()
        thread.join()


def children_mib() -> float:
    """What the processes below this one hold now; a page that several have counts once."""
    import psutil

    held = 0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            held += process.memory_full_info().pss
    return held / MIB


def gpu_mib() -> float:
    """What is taken of the GPUs that this process may use, by everybody."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    command = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    command += [f"--id={chosen}"] if chosen else []
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return sum(map(float, said.split()))

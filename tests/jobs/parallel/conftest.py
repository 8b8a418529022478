"""A Ray of the tests' own with two workers in a process group, started once for all that need one."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
import torch.distributed as dist

from jobs.collective.group import Group, process_group

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def _ray_here() -> Iterator[None]:
    """Alone on this machine."""
    variables = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=100 * 2**20,
        log_to_driver=False,
        runtime_env={"env_vars": variables},
    )
    yield
    ray.shutdown()
    with warnings.catch_warnings():
        # Ray ends its processes and does not ask each how it ended; on a busy machine Python warns of that.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="module")
def pair(_ray_here: None) -> Iterator[Group]:
    """Two ranks on gloo."""
    with process_group(use_gpu=False, min_workers=2) as group:
        yield group


@pytest.fixture
def _alone() -> Iterator[None]:
    """A process group of this process only."""
    store = dist.TCPStore("127.0.0.1", 0, 1, is_master=True)
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    dist.destroy_process_group()

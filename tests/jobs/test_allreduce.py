from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch.distributed as dist

from clusterlab.config import Scale, parse
from clusterlab.errors import InputError
from jobs.allreduce import Config, _measure, bus_bandwidth
from jobs.collective.group import _per_node, interface_of

QUICK = {"SCALE": "tiny", "LARGEST_BYTES": "4096", "REPEATS": "2"}


@pytest.fixture
def alone() -> Iterator[None]:
    """A process group of this process only."""
    store = dist.TCPStore("127.0.0.1", 0, 1, is_master=True)
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("scale", Scale)
def test_every_scale_has_messages(scale: Scale) -> None:
    config = parse(Config, {"SCALE": scale})
    sizes = config.sizes()
    assert sizes[0] == 8
    assert config.largest_bytes / config.factor < sizes[-1] <= config.largest_bytes


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"MIN_WORKERS": "1"}, "MIN_WORKERS=1: must be 2 or more"),
        ({"SMALLEST_BYTES": "3"}, "SMALLEST_BYTES=3: must be 4 or more"),
        ({"LARGEST_BYTES": "4"}, "LARGEST_BYTES=4: must be 8 or more"),
        ({"FACTOR": "1", "REPEATS": "0"}, "FACTOR=1: must be 2 or more; REPEATS=0: must be 1 or more"),
        ({"DEVICE": "tpu"}, "DEVICE: 'tpu': allowed: cpu, cuda"),
    ],
)
def test_what_measures_nothing_is_refused(wrong: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as error:
        parse(Config, {"SCALE": "tiny"} | wrong)
    assert message in str(error.value)


def test_the_bus_carries_what_nccl_tests_says() -> None:
    # 8 ranks, 1 GB in 1 s: each link carries 2 * 7 / 8 of it.
    assert bus_bandwidth(10**9, 1.0, 8) == pytest.approx(1.75)
    assert bus_bandwidth(10**9, 1.0, 2) == pytest.approx(1.0)


@pytest.mark.usefixtures("alone")
def test_a_wrong_sum_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    config = parse(Config, QUICK)
    assert _measure(config, 4096).sum_error == 0

    def careless(message: Any) -> None:
        message[-1] += 0.5

    monkeypatch.setattr(dist, "all_reduce", careless)
    assert _measure(config, 4096).sum_error == 0.5


@pytest.mark.parametrize(
    ("resources", "use_gpu", "expected"),
    [
        ([{"CPU": 2}], False, (1, 2)),
        ([{"CPU": 2}, {"CPU": 2}], False, (2, 1)),
        ([{"CPU": 8, "GPU": 1}, {"CPU": 8, "GPU": 1}], True, (2, 1)),
        ([{"CPU": 8, "GPU": 4}], True, (1, 4)),
        ([{"CPU": 8, "GPU": 4}, {"CPU": 8, "GPU": 2}], True, (2, 2)),
    ],
)
def test_workers_are_spread_evenly(resources: list[dict[str, float]], use_gpu: bool, expected: tuple[int, int]) -> None:
    assert _per_node(resources, use_gpu, 2) == expected


@pytest.mark.parametrize(
    ("resources", "use_gpu"),
    [([{"CPU": 1}], False), ([{"CPU": 8}], True), ([{"GPU": 1}], True), ([{"GPU": 4}, {"CPU": 4}], True)],
)
def test_a_cluster_that_is_too_small_is_named(resources: list[dict[str, float]], use_gpu: bool) -> None:
    with pytest.raises(InputError, match="MIN_WORKERS=2: the nodes have"):
        _per_node(resources, use_gpu, 2)


def test_an_address_leads_to_its_interface() -> None:
    assert interface_of("127.0.0.1") == interface_of("127.0.0.2") == "lo"
    with pytest.raises(InputError, match=r"network: no interface of this machine has the address 192.0.2.1"):
        interface_of("192.0.2.1")


@pytest.mark.parametrize(("counts", "expected"), [([2, 2], (2, 2)), ([2], (1, 2)), ([1, 8], (2, 1)), ([8], (1, 4))])
def test_fewer_workers_will_do_after_a_loss(counts: list[int], expected: tuple[int, int]) -> None:
    assert _per_node([{"CPU": count} for count in counts], use_gpu=False, min_workers=4, fewer=True) == expected

from __future__ import annotations

from clusterlab.fit.footprint import GIB, Footprint


def test_a_footprint_adds_the_gpus_parts_and_leaves_the_hosts_out() -> None:
    found = Footprint(weights=GIB, gradients=2 * GIB, optimizer=0, activations=GIB // 2, host=50 * GIB)
    assert found.gpu == 5.5 * GIB
    assert str(found) == "5.5 GiB per GPU (weights 1.0, gradients 2.0, activations 0.5, reserve 2.0)"

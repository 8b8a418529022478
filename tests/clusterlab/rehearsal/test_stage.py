from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.errors import InputError
from clusterlab.lock import locked
from clusterlab.rehearsal.faults import Fault
from clusterlab.rehearsal.stage import Request, _stage


def request(**values: object) -> Request:
    return Request(**({"root": "/r", "labs": ("labs/qlora.yaml",), "out": "/o"} | values))  # type: ignore[arg-type]


def test_a_request_is_read_back_as_it_was_saved(tmp_path: Path) -> None:
    asked = request(faults=(Fault.API_500, Fault.THROTTLE), seed=3)
    asked.save(tmp_path / "request.json")
    assert Request.load(tmp_path / "request.json") == asked


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"place": "moon"}, "--on: 'moon'; allowed: cloud, slurm"),
        ({"num_clusters": 0}, "--clusters: 0; allowed: 1 to 16"),
        ({"num_clusters": 17}, "--clusters: 17; allowed: 1 to 16"),
        ({"faults": (Fault.OUTAGE, Fault.THROTTLE)}, "--fault: outage: allowed: alone"),
        ({"faults": (Fault.PREEMPT,), "place": "slurm"}, "--fault: only on the cloud"),
        ({"faults": (Fault.PREEMPT,), "num_clusters": 2}, "--fault: only on the cloud, and with one cluster"),
    ],
)
def test_parts_that_do_not_go_together_are_refused(values: dict[str, object], wrong: str) -> None:
    with pytest.raises(InputError) as caught:
        request(**values)
    assert str(caught.value).startswith(wrong)


def test_a_folder_with_another_rehearsal_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rehearsal.json").write_text("{}")
    with pytest.raises(InputError, match=r"--out: .* is not empty"):
        request(out=str(tmp_path))


def test_a_stage_is_gone_after_use_whatever_happened(tmp_path: Path) -> None:
    def play() -> None:
        with _stage(tmp_path) as stage:
            (stage / "disks").mkdir()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        play()
    assert list(tmp_path.iterdir()) == []


def test_a_stage_that_was_left_is_cleared_and_one_in_use_is_not(tmp_path: Path) -> None:
    left, used = tmp_path / "left", tmp_path / "used"
    for folder in (left, used):
        (folder / "disks").mkdir(parents=True)
    with locked(tmp_path / "used.lock", wait=True), _stage(tmp_path):
        assert not left.exists()
        assert used.exists()

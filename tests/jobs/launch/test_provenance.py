from __future__ import annotations

from pathlib import Path

from jobs.launch.provenance import _gpus


def test_gpus_are_those_of_the_driver(tmp_path: Path) -> None:
    for number, model in enumerate(("NVIDIA L4", "NVIDIA A10G")):
        folder = tmp_path / f"0000:0{number}:00.0"
        folder.mkdir()
        (folder / "information").write_text(f"Model: \t\t {model}\nIRQ:   \t\t 0\n")
    assert _gpus(tmp_path) == ["NVIDIA L4", "NVIDIA A10G"]


def test_a_machine_without_the_driver_has_none(tmp_path: Path) -> None:
    assert _gpus(tmp_path / "missing") == []

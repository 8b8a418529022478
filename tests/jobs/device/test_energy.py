from __future__ import annotations

from pathlib import Path

import pytest

from jobs.device import energy
from jobs.device.energy import Counter


def package(powercap: Path, name: str, microjoules: int) -> Path:
    """A domain as the kernel shows it, whose counter goes to 1,000,000."""
    folder = powercap / name
    folder.mkdir(exist_ok=True)
    (folder / "max_energy_range_uj").write_text("1000000\n")
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    return folder


def test_packages_are_added_and_their_parts_are_not(tmp_path: Path) -> None:
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
        package(tmp_path, name, 100_000)
    counter = Counter.begin(tmp_path)
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
        package(tmp_path, name, 350_000)
    assert counter.joules() == pytest.approx(0.5)


def test_a_counter_that_began_again_is_counted_through(tmp_path: Path) -> None:
    package(tmp_path, "intel-rapl:0", 900_001)
    counter = Counter.begin(tmp_path)
    package(tmp_path, "intel-rapl:0", 100_000)
    assert counter.joules() == pytest.approx(0.2)


def test_without_a_counter_nothing_is_said(tmp_path: Path) -> None:
    assert Counter.begin(tmp_path / "nowhere").joules() is None


def test_a_counter_that_only_root_may_read_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_package: Path, _name: str) -> int:
        raise PermissionError

    package(tmp_path, "intel-rapl:0", 1)
    monkeypatch.setattr(energy, "_read", refuse)
    assert Counter.begin(tmp_path).joules() is None

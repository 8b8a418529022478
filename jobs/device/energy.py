"""Joules by the processor's own counter, where one may be read.

The counter is RAPL's (Linux, Documentation/power/powercap/powercap.rst), of all that the processor's package does, for
whomever; since 2020 only root may read it (CVE-2020-8694), and rented machines have none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
_PACKAGES = "intel-rapl:?"
"""Whole packages; the name of a part of one has a second number."""
_MICRO = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class Counter:
    """Begun when it is made; says nothing where there is no counter, or this process may not read it."""

    packages: Sequence[Path]
    began: Sequence[int]
    """What each package showed, in microjoules."""

    @classmethod
    def begin(cls, powercap: Path = POWERCAP) -> Counter:
        """Read what there is."""
        packages = sorted(powercap.glob(_PACKAGES))
        try:
            return cls(packages=packages, began=[_read(package, "energy_uj") for package in packages])
        except PermissionError:
            return cls(packages=(), began=())

    def joules(self) -> float | None:
        """Since it was begun."""
        spent = [_since(package, began) for package, began in zip(self.packages, self.began, strict=True)]
        return _MICRO * sum(spent) if spent else None


def _since(package: Path, began: int) -> int:
    """Beyond its range a counter begins at 0 again."""
    now = _read(package, "energy_uj")
    return now - began if now >= began else now - began + _read(package, "max_energy_range_uj") + 1


def _read(package: Path, name: str) -> int:
    return int((package / name).read_text())

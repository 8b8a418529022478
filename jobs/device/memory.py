"""What memory of this process is its own, and what it shares with the files it mapped (Linux, proc(5))."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

STATUS = Path("/proc/self/status")
KIB_PER_MIB = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """Resident, in MiB."""

    private: float
    """Anonymous: nobody else has it, and it can only go to swap."""
    mapped: float
    """Pages of files: held once for all processes that map them, and dropped where memory is short."""

    @classmethod
    def now(cls, status: Path = STATUS) -> Memory:
        """Of this process."""
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        private, mapped = (int(lines[name].split()[0]) / KIB_PER_MIB for name in ("RssAnon", "RssFile"))
        return cls(private=private, mapped=mapped)

    def __sub__(self, other: Memory) -> Memory:
        """What was added since the other."""
        return Memory(private=self.private - other.private, mapped=self.mapped - other.mapped)

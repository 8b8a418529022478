from __future__ import annotations

import mmap
from pathlib import Path

import pytest

from jobs.device.memory import Memory

MIB = 2**20


def test_a_mapped_file_is_no_memory_of_the_process_and_a_copy_is(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"x" * 64 * MIB)
    before = Memory.now()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
        assert sum(view[place] for place in range(0, len(view), mmap.PAGESIZE)) > 0
        mapped = Memory.now() - before
    assert mapped.mapped == pytest.approx(64, abs=4)
    assert mapped.private < 4
    # Its own mapping: of the heap pages may be left that other tests freed, and a copy there would add none.
    with path.open("rb") as file, mmap.mmap(-1, 64 * MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as copy:
        before = Memory.now()
        assert file.readinto(memoryview(copy)) == len(copy)
        copied = Memory.now() - before
    assert copied.private == pytest.approx(64, abs=4)
    assert copied.mapped < 4


def test_what_the_kernel_says_is_read_in_mib(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("Name:\tpython\nRssAnon:\t    2048 kB\nRssFile:\t    1024 kB\nRssShmem:\t 0 kB\n")
    assert Memory.now(tmp_path / "status") == Memory(private=2, mapped=1)

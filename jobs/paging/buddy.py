"""The buddy allocator: contiguous chunks whose sizes are powers of two, split and joined in pairs (Knowlton, 1965)."""

from __future__ import annotations


def power_of_two(size: int) -> int:
    """The smallest power of two that is not smaller."""
    return 1 << (size - 1).bit_length()


class Buddy:
    """Memory of `size` slots, a power of two, handed out in chunks."""

    def __init__(self, size: int) -> None:
        """One free chunk of all slots."""
        self.size = size
        self._free: dict[int, set[int]] = {1 << order: set() for order in range(size.bit_length())}
        self._free[size].add(0)
        self._taken: dict[int, int] = {}

    @property
    def num_free(self) -> int:
        """Free slots in all."""
        return self.size - sum(self._taken.values())

    @property
    def largest_free(self) -> int:
        """Slots of the largest free chunk, 0 when there is none."""
        return max((size for size, starts in self._free.items() if starts), default=0)

    def allocate(self, size: int) -> int | None:
        """The first slot of a free chunk of at least `size` slots, or None where none is so large."""
        wanted = power_of_two(size)
        chunk = min((free for free, starts in self._free.items() if starts and free >= wanted), default=None)
        if chunk is None:
            return None
        start = min(self._free[chunk])
        self._free[chunk].remove(start)
        while chunk > wanted:
            chunk //= 2
            self._free[chunk].add(start + chunk)
        self._taken[start] = chunk
        return start

    def free(self, start: int) -> None:
        """Give back the chunk that begins at `start`, and join it with its buddy as long as that is free too."""
        size = self._taken.pop(start)
        while size < self.size and start ^ size in self._free[size]:
            self._free[size].remove(start ^ size)
            start = min(start, start ^ size)
            size *= 2
        self._free[size].add(start)

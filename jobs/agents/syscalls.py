"""What code in the sandbox may not ask the kernel for, as the program of a seccomp filter (Linux)."""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Iterable

from clusterlab.errors import MissingError

# Processes and threads: one is all that a calculation needs, and then memory is bound by one limit.
# Memory that no limit of a process counts; namespaces, mounts and other processes; sockets; parts of the kernel with
# a history of holes. Numbers are those of Linux's unistd.h, x86_64 first, then aarch64; None where there is none.
DENIED: dict[str, tuple[int | None, int | None]] = {
    "fork": (57, None),
    "vfork": (58, None),
    "clone": (56, 220),
    "clone3": (435, 435),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "kexec_load": (246, 104),
}
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""By `uname -m`: the column above, and the kernel's AUDIT_ARCH."""
_LOAD, _EQUAL, _GREATER, _RETURN = 0x20, 0x15, 0x35, 0x06
"""BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_JMP|BPF_JGE|BPF_K, BPF_RET|BPF_K."""
_NUMBER, _ARCHITECTURE = 0, 4
"""Places in `struct seccomp_data`."""
_KILL, _ERROR, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_X32 = 0x40000000
"""Calls of the ABI x32 begin here; nothing uses it, and it would be a way around the numbers."""


def seccomp_filter(machine: str | None = None) -> bytes:
    """The program that refuses `DENIED` with EPERM, as `bwrap --seccomp` reads it.

    Raises:
        MissingError: the numbers of this kind of machine are not known here.
    """
    machine = machine or platform.machine()
    if machine not in MACHINES:
        raise MissingError(f"{machine}: no sandbox for such a machine; there is one for {', '.join(MACHINES)}")
    column, architecture = MACHINES[machine]
    numbers = [numbers[column] for numbers in DENIED.values()]
    return b"".join(_program(architecture, [number for number in numbers if number is not None]))


def _program(architecture: int, denied: list[int]) -> Iterable[bytes]:
    yield _instruction(_LOAD, _ARCHITECTURE)
    yield _instruction(_EQUAL, architecture, then=1)
    yield _instruction(_RETURN, _KILL)
    yield _instruction(_LOAD, _NUMBER)
    yield _instruction(_GREATER, _X32, otherwise=1)
    yield _instruction(_RETURN, _ERROR | errno.EPERM)
    for number in denied:
        yield _instruction(_EQUAL, number, otherwise=1)
        yield _instruction(_RETURN, _ERROR | errno.EPERM)
    yield _instruction(_RETURN, _ALLOW)


def _instruction(code: int, value: int, *, then: int = 0, otherwise: int = 0) -> bytes:
    """A `struct sock_filter`; the jumps say how many instructions are left out."""
    return struct.pack("=HBBI", code, then, otherwise, value)

"""The memory that a step of training on the CPU frees, and that the next one asks for again."""

import ctypes
import platform

TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""Parameters of mallopt(3), as malloc.h numbers them."""


def keep_freed_memory() -> None:
    """Have glibc's allocator keep what is freed, for as long as the process lives.

    As it comes, it hands large blocks back to the system, and every page of them faults in anew when the next step asks
    for as much; `benchmarks/allocator_speed.py` measures what that costs. With another C library nothing happens.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(TRIM_THRESHOLD, -1)
        libc.mallopt(MMAP_MAX, 0)

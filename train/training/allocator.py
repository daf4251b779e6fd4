"""Memory allocation of training on the CPU: each step frees and allocates the same large blocks."""

import ctypes
import platform

TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""Parameters of mallopt(3), as malloc.h numbers them."""


def keep_freed_memory() -> None:
    """Make glibc's allocator keep freed memory, for as long as the process lives.

    By default it returns large blocks to the system, and every page of them faults in again when the next step
    allocates as much; `benchmarks/allocator_speed.py` measures the cost. With another C library nothing happens.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(TRIM_THRESHOLD, -1)
        libc.mallopt(MMAP_MAX, 0)

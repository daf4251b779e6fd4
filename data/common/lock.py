"""One process at a time: a lock that ends with its process, however that ends, and that depends on no clock.

with held(Path("images")): ...
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ser_images.data.common.errors import UserError


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a file or a folder.

    The lock is on the file or folder itself (`flock`), so that it leaves none; Windows has no such lock.

    Raises:
        UserError: another process holds it, or has moved it away meanwhile.
    """
    try:
        from fcntl import LOCK_EX, LOCK_NB, flock
    except ModuleNotFoundError:  # Windows
        yield
        return
    descriptor = -1
    try:
        try:
            descriptor = os.open(path, os.O_RDONLY)
            flock(descriptor, LOCK_EX | LOCK_NB)
            is_there = os.path.samestat(os.fstat(descriptor), path.stat())
        except (BlockingIOError, FileNotFoundError):
            is_there = False
        if not is_there:
            raise UserError(f"{path}: another command is writing it; wait for it, or give another place")
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)

"""One command at a time writes a folder: a lock that ends with its process, however that ends.

with locked(Path("images")): ...
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import require_writable


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder, which is made where it is missing, and removed again where it is still empty.

    The lock is on the folder itself (`flock`), so that it leaves no file; Windows has none.

    Raises:
        UserError: another process holds it, or it cannot be written.
    """
    created = not folder.exists()
    require_writable(folder)
    try:
        with _flock(folder):
            yield
    finally:
        if created:
            with suppress(OSError):  # not empty
                folder.rmdir()


@contextmanager
def _flock(folder: Path) -> Iterator[None]:
    try:
        from fcntl import LOCK_EX, LOCK_NB, flock
    except ModuleNotFoundError:  # Windows
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            flock(descriptor, LOCK_EX | LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"{folder}: another command is writing it; wait for it, or give another folder") from error
        yield
    finally:
        os.close(descriptor)

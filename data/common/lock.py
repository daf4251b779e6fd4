"""One process at a time: a lock that ends with its process, however that ends, and that depends on no clock.

with held(Path("images"), Path("images")): ...
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ser_images.data.common.errors import UserError

_HELD = (errno.EAGAIN, errno.EWOULDBLOCK)
_NO_LOCKS = (errno.EBADF, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""Of network disks: NFS locks only what is open for writing, so no folder; Lustre nothing, unless it is mounted so."""


@contextmanager
def held(path: Path, shown: Path) -> Iterator[None]:
    """Hold a file or a folder.

    The lock is on the file or folder itself (`flock`), so that it leaves none. Windows and some network disks have no
    such lock, and nothing is held there.

    Args:
        shown: what the error names.

    Raises:
        UserError: another process holds it, or has moved it away meanwhile.
    """
    try:
        from fcntl import LOCK_EX, LOCK_NB, flock
    except ModuleNotFoundError:  # Windows
        yield
        return
    refused = UserError(f"{shown}: another command is writing it; wait for it, or give another place")
    try:
        descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    except FileNotFoundError as error:
        raise refused from error
    try:
        try:
            flock(descriptor, LOCK_EX | LOCK_NB)
        except OSError as error:
            if error.errno in _HELD:
                raise refused from error
            if error.errno not in _NO_LOCKS:
                raise
        if not _is_at(path, descriptor):
            raise refused
        yield
    finally:
        os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False

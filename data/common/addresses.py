"""Addresses: paths of this machine, and of stores that fsspec reads, such as s3://bucket/corpus.

folder = path_of("s3://bucket/corpus")
"""

from collections.abc import Hashable
from pathlib import Path
from typing import Any, cast

from ser_images.data.common.errors import UserError
from ser_images.data.common.requirements import require_installed


def path_of(address: str) -> Path:
    """A path of this machine, or an object with the methods of one (`upath.UPath`) for an address such as s3://….

    Raises:
        UserError: there is no such kind of store, or the package that reads it is not installed.
    """
    protocol, separator, rest = address.partition("://")
    if not separator or protocol == "file":
        return Path(rest or address)
    require_installed("upath")
    from upath import UPath

    try:
        path = UPath(address)
        _ = path.fs  # the package of the store is imported here
    except ImportError as error:
        raise UserError(f"{address}: {error}") from error
    except (ValueError, TypeError) as error:
        raise UserError(f"{address}: no address of a store that fsspec knows ({error})") from error
    return cast(Path, path)


def reachable(address: str) -> Path:
    """As `path_of`; raises UserError too where a store does not answer, as without credentials."""
    path = path_of(address)
    if not is_local(path):
        try:
            path.exists()
        except Exception as error:  # each store has errors of its own
            raise UserError(f"{address}: the store cannot be reached ({error})") from error
    return path


def is_local(path: Path) -> bool:
    """Whether a path is one of this machine."""
    return isinstance(path, Path)


def version_of(path: Path) -> Hashable:
    """A value that is the same as long as the content of a file is.

    Raises:
        OSError: there is no such file, or it cannot be reached.
    """
    if not is_local(path):
        store: Any = path
        return str(store.fs.ukey(store.path))
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

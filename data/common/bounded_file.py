"""Open files that anybody may have written: only regular ones, whole ones only up to a size.

content = read_bounded(Path("spec.json"))
"""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from ser_images.data.common.addresses import is_local
from ser_images.data.common.errors import UserError

MAX_TEXT_BYTES = 1 << 26
"""Of a JSON or TOML file, a model card or a list of sums: 64 MiB."""


def open_regular(path: Path, max_bytes: int) -> BinaryIO:
    """A file opened for reading; a pipe or a device is refused at once, where `open` would wait.

    Raises:
        UserError: it cannot be opened, is no regular file, or is larger than this.
    """
    if not is_local(path):
        return _open_stored(path, max_bytes)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise UserError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_size <= max_bytes:
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISREG(found.st_mode):
        raise UserError(f"{path}: {found.st_size} bytes, expected at most {max_bytes}; give another file")
    raise UserError(f"{path}: a folder, a pipe or a device, expected a regular file")


def _open_stored(path: Path, max_bytes: int) -> BinaryIO:
    try:
        if (size := path.stat().st_size) <= max_bytes:
            return path.open("rb")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    raise UserError(f"{path}: {size} bytes, expected at most {max_bytes}; give another file")


def read_bounded(path: Path, max_bytes: int = MAX_TEXT_BYTES) -> bytes:
    """The bytes of a file; raises UserError as `open_regular`."""
    with open_regular(path, max_bytes) as file:
        return file.read(max_bytes)


def read_text_bounded(path: Path) -> str:
    """The text of a UTF-8 file; raises UserError as `open_regular`, or where it is no UTF-8."""
    try:
        return read_bounded(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: cannot be read ({error})") from error

"""What the files of a bundle may be: their names, their sizes, and how far a zip may unpack.

require_safe_zip(Path("runs/first.zip"))
"""

import zipfile
from pathlib import Path

from ser_images.data.common.bounded_file import MAX_TEXT_BYTES, open_regular
from ser_images.data.common.errors import UserError

MAX_FILE_BYTES = 2**31
"""ONNX, a protocol buffer, can't be larger."""
MAX_FILES = 200
MAX_RATIO, MAX_WEIGHTS_RATIO = 100, 4
"""Uncompressed to compressed; trained weights hardly compress, tables of numbers at most twentyfold."""
WEIGHTS_SUFFIXES = (".onnx", ".safetensors", ".pkl")
_SIGNATURE_SUFFIX = ".minisig"
_MAX_SIGNATURE_BYTES = 2**16
_SMALL_BYTES = 2**20


def max_bytes(name: str) -> int:
    """Of a file of this name."""
    if name.endswith(_SIGNATURE_SUFFIX):
        return _MAX_SIGNATURE_BYTES
    return MAX_FILE_BYTES if name.endswith(WEIGHTS_SUFFIXES) else MAX_TEXT_BYTES


def is_plain(name: str) -> bool:
    """Whether it is a file's name alone, which leads to no other folder."""
    return bool(name) and not set(name) & set("/\\:\0") and name not in (".", "..")


def require_safe_zip(path: Path) -> None:
    """Raise UserError where this is no zip, or one that would write elsewhere or unpack without end."""
    open_regular(path, 2 * MAX_FILE_BYTES).close()
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    # ValueError: a directory with impossible offsets; NotImplementedError: an unknown version
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise UserError(f"{path}: no folder and no zip that can be read ({error})") from error
    if len({member.filename for member in members}) < len(members) or len(members) > MAX_FILES:
        raise UserError(f"{path}: {len(members)} files, expected at most {MAX_FILES}, each once")
    for member in members:
        if not is_plain(member.filename):
            raise UserError(f"{path}: holds {member.filename!r}, expected plain file names without a folder")
        if member.flag_bits & 1:
            raise UserError(f"{path}: {member.filename} is encrypted; give a zip without a password")
        ratio = MAX_WEIGHTS_RATIO if member.filename.endswith(WEIGHTS_SUFFIXES) else MAX_RATIO
        allowed = _SMALL_BYTES + ratio * member.compress_size
        if member.file_size > min(allowed, max_bytes(member.filename)):
            raise UserError(
                f"{path}: {member.filename} unpacks from {member.compress_size} to {member.file_size} bytes, "
                f"more than any bundle's does; not opened"
            )

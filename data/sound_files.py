"""The sound files under a folder, in an order that does not depend on the file system."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from ser_images.data.common.addresses import reachable
from ser_images.data.common.errors import UserError

LOGGER = logging.getLogger("ser_images")
SUFFIXES = frozenset(
    (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".rf64")
)  # fmt: skip


def sound_files(source: Path) -> list[Path]:
    """Every file below `source` (or `source` itself) whose suffix, in any case, is one of `SUFFIXES`.

    Hidden files and folders are skipped: macOS leaves `._NAME.wav` beside each `NAME.wav` that it copies.
    """
    return list(walk_sound_files(source))


def walk_sound_files(source: Path) -> Iterator[Path]:
    """As `sound_files`, one by one: memory holds the names in one folder at a time."""
    if source.is_file() and source.suffix.lower() in SUFFIXES:
        yield source
    for path in _entries(source):
        if path.is_dir() and not path.is_symlink():
            yield from walk_sound_files(path)
        elif path.suffix.lower() in SUFFIXES and path.is_file():
            yield path


def _entries(folder: Path) -> list[Path]:
    """What is in a folder and not hidden, sorted."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError as error:
        LOGGER.warning("%s: skipped (%s)", folder, error.strerror)
        return []


def matching(address: str) -> list[Path]:
    """The path of an address, or those that it matches where it is one of a store with wildcards: s3://bucket/*.flac.

    Raises:
        UserError: the store cannot be reached, or holds no match.
    """
    parts = address.split("/")
    first = next((number for number, part in enumerate(parts) if set(part) & set("*?[")), 0)
    if "://" not in address or not first:
        return [reachable(address)]
    found = sorted(reachable("/".join(parts[:first])).glob("/".join(parts[first:])))
    if not found:
        raise UserError(f"{address}: matches no file")
    return found


def recordings(paths: Sequence[Path]) -> list[Path]:
    """The files among `paths`, and every sound file below the folders among them.

    Raises:
        UserError: a path that does not exist, or a folder without a sound file.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UserError(f"{path}: no such file or folder")
        files = sound_files(path) if path.is_dir() else [path]
        if not files:
            raise UserError(f"{path}: no sound file in it")
        found += files
    return found

"""Folders and files that are written: whole or not at all, and only where that is possible."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TextIO

from ser_images.data.common.errors import UserError


def require_writable(folder: Path) -> None:
    """Make `folder` where it is missing; raises UserError where it can't be made or written into."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):  # of its own name: folds begin beside each other
            pass
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); give another folder") from error


def require_new(folder: Path) -> None:
    """Raise UserError where `folder` exists and is not an empty folder."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: exists already; give another --out, or remove it")


@contextmanager
def file_moved_into_place(target: Path) -> Iterator[TextIO]:
    """A new text file to write; it becomes `target` at the end, and is gone on any failure.

    Raises:
        UserError: the folder of `target` can't be written.
    """
    require_writable(target.parent)
    part = target.with_name(f".{target.name}.part")
    try:
        with part.open("w", newline="", encoding="utf-8") as file:
            yield file
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def moved_into_place(target: Path) -> Iterator[Path]:
    """A new folder beside `target` to write into; it becomes `target` at the end, and is gone on any failure."""
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        part.replace(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise

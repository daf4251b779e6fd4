"""Write folders and files whole or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TextIO

from ser_images.data.common.errors import UserError


def require_writable(folder: Path) -> None:
    """Make `folder` where it is missing; raises UserError where it cannot be made or written into."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):  # under a unique name: folds start at the same time
            pass
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); give another folder") from error


@contextmanager
def file_moved_into_place(target: Path) -> Iterator[TextIO]:
    """Yield a new text file; it becomes `target` at the end and is removed on any failure.

    Raises:
        UserError: the folder of `target` cannot be written.
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
    """Yield a new folder beside `target`; it becomes `target` at the end and is removed on any failure."""
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        part.replace(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise

"""Write files and folders atomically, and never over an input, a link or a device.

Call `require_replaceable(out, inputs)` before long work, and write with `file_moved_into_place(out, inputs)`, which
checks again.
"""

import os
import shutil
import stat
from collections.abc import Iterable, Iterator
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


def require_new(out: Path) -> None:
    """Raise UserError where `out` is anything but an empty folder; a link is refused wherever it leads."""
    if os.path.lexists(out) and (out.is_symlink() or not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: exists already; give another --out, or remove it")


def require_replaceable(target: Path, inputs: Iterable[Path] = ()) -> None:
    """Require that a command may write the file `target`: it is missing, or a regular file and none of the inputs.

    Args:
        inputs: what the command reads; a folder (a run, an image set) means every file in it.

    Raises:
        UserError: a folder, a link, a device, a pipe or a socket, or one of the inputs.
    """
    try:
        mode = target.lstat().st_mode
    except OSError:  # missing; whether it can be written is for `require_writable`
        return
    if not stat.S_ISREG(mode):
        raise UserError(f"{target}: {_kind(mode)}, expected a new file or a regular one; give another path")
    if any(_is_input(target, path) for path in inputs):
        raise UserError(f"{target}: an input of this command, which writing would destroy; give another path")


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a pipe"}
    return kinds.get(stat.S_IFMT(mode), "a device or a socket")


def _is_input(target: Path, path: Path) -> bool:
    try:
        return path.samefile(target) or (path.is_dir() and target.resolve().is_relative_to(path.resolve()))
    except OSError:  # a missing input is named where it is read
        return False


@contextmanager
def file_moved_into_place(target: Path, inputs: Iterable[Path] = ()) -> Iterator[TextIO]:
    """A new text file to write; it becomes `target` at the end, and is removed on any failure.

    Args:
        inputs: files and folders that `target` must not replace, see `require_replaceable`.

    Raises:
        UserError: the folder of `target` can't be written, or `target` may not be replaced.
    """
    require_writable(target.parent)
    require_replaceable(target, inputs)
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)  # left by a killed process, or a link, which must not be followed
    try:
        with part.open("x", newline="", encoding="utf-8") as file:
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

"""Write files and folders atomically, one command at a time, and never over an input, a link or a device.

Call `require_replaceable(out, inputs)` before long work, and write with `file_moved_into_place(out, inputs)`, or with
`new_file(out)` where another library writes; they check again.

A killed command leaves `.NAME.part`, which nothing reads. The next one that writes NAME empties and uses it.
"""

import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any, TextIO

from ser_images.data.common.addresses import is_local
from ser_images.data.common.errors import UserError
from ser_images.data.common.lock import held


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
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder, which is made where it is missing, and removed again where it is still empty.

    Stores have neither folders nor such locks: nothing is held there.

    Raises:
        UserError: another process holds it, or it cannot be written.
    """
    if not is_local(folder):
        yield
        return
    created = not folder.exists()
    require_writable(folder)
    try:
        with held(folder, folder):
            yield
    finally:
        if created:
            with suppress(OSError):  # not empty
                folder.rmdir()


@contextmanager
def new_file(target: Path, inputs: Iterable[Path] = ()) -> Iterator[Path]:
    """Yield an empty file beside `target`; it becomes `target` at the end, and is removed on any failure.

    Args:
        inputs: files and folders that `target` must not replace, see `require_replaceable`.

    Raises:
        UserError: the folder of `target` can't be written, `target` may not be replaced, or another process writes it.
    """
    if not is_local(target):
        with _sent_to_store(target) as part:
            yield part
        return
    require_writable(target.parent)
    require_replaceable(target, inputs)
    part = part_of(target)
    with suppress(FileNotFoundError):
        found = part.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1 or not os.access(part, os.W_OK):
            part.unlink()  # a link, which must not be followed, or what another user left
    part.touch()  # another process may do so too; then one of them gets the lock
    with held(part, target):
        try:
            os.truncate(part, 0)
            yield part
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


@contextmanager
def _sent_to_store(target: Path) -> Iterator[Path]:
    """A file of this machine, which is sent at the end: stores show a file when it is whole."""
    with TemporaryDirectory() as folder:
        part = Path(folder) / "part"
        part.touch()
        yield part
        store: Any = target
        store.fs.put_file(str(part), store.path)


@contextmanager
def file_moved_into_place(target: Path, inputs: Iterable[Path] = ()) -> Iterator[TextIO]:
    """A new text file to write; it becomes `target` at the end, and is removed on any failure; see `new_file`."""
    with new_file(target, inputs) as part, part.open("w", newline="", encoding="utf-8") as file:
        yield file


@contextmanager
def moved_into_place(target: Path) -> Iterator[Path]:
    """Yield a new folder beside `target`; it becomes `target` at the end and is removed on any failure.

    Raises:
        UserError: another process writes `target`, or has written it meanwhile.
    """
    with _part_folder(target, target) as part:
        yield part
        try:
            part.replace(target)
        except OSError:
            require_new(target)
            raise


@contextmanager
def files_moved_into(folder: Path) -> Iterator[Path]:
    """Yield a new folder for files, which at the end replace those of `folder` with their names, each one whole.

    Raises:
        UserError: another process writes files into `folder`, or one of them may not be replaced; then none is.
    """
    with _part_folder(folder / "files", folder) as part:
        yield part
        paths = sorted(part.iterdir())
        for path in paths:
            require_replaceable(folder / path.name)
        for path in paths:
            path.replace(folder / path.name)
        part.rmdir()


@contextmanager
def _part_folder(target: Path, shown: Path) -> Iterator[Path]:
    """An empty folder that no other process writes; it is removed on any failure."""
    part = part_of(target)
    if os.path.lexists(part) and not stat.S_ISDIR(part.lstat().st_mode):
        part.unlink()  # a link, which must not be followed
    part.mkdir(parents=True, exist_ok=True)
    with held(part, shown):
        try:
            for left in part.iterdir():
                shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
            yield part
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise


def part_of(target: Path) -> Path:
    """Where `target` is written before it is moved into place."""
    return target.with_name(f".{target.name}.part")

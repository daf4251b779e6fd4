"""A run's folder: written beside its place, moved there when it is whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data.errors import UserError
from data.folders import moved_into_place, require_writable


@contextmanager
def new_run_folder(out: Path) -> Iterator[Path]:
    """A folder to write a run into; it becomes `out` at the end, and is gone where anything fails before.

    Raises:
        UserError: `out` holds something already, or can't be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: exists already; give another --out, or remove it")
    require_writable(out.parent)
    with moved_into_place(out) as folder:
        yield folder

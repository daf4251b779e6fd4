"""The rows of a build that goes on, from which the next one continues if this one is killed.

with Journal(folder).appending(earlier) as append: append(rows)

On this machine it is a CSV that grows; in a store, whose files cannot grow, a folder of small ones.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path

from ser_images.data.common.addresses import is_local
from ser_images.spectrogram_gen.dataset.manifest import ManifestRow, append_rows, read_rows, write_manifest

JOURNAL = "manifest.csv.part"
_ROWS_AT_ONCE = 500
"""Of a file in a store: as many are rendered again after a kill."""
Append = Callable[[Iterable[ManifestRow]], None]


class Journal:
    """The journal of the image set in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._path = folder, folder / JOURNAL

    def exists(self) -> bool:
        """Whether a build goes on, or was interrupted."""
        return self._path.exists()

    def rows(self) -> Iterator[ManifestRow]:
        """What is there; an incomplete last line is left out. Raises UserError as `read_manifest`."""
        for path in self._files():
            yield from read_rows(path, self._folder, complete_only=True)

    @contextmanager
    def appending(self, earlier: Iterable[ManifestRow]) -> Iterator[Append]:
        """Yield a function that adds rows; `earlier` are those that were found by `rows` and in the manifest."""
        if not is_local(self._path):
            with self._appending_files() as append:
                yield append
            return
        write_manifest(self._path, earlier)
        with self._path.open("a", newline="", encoding="utf-8") as file:
            yield partial(append_rows, file)

    @contextmanager
    def _appending_files(self) -> Iterator[Append]:
        numbers, waiting = count(len(self._files())), list[ManifestRow]()

        def write() -> None:
            write_manifest(self._path / f"{next(numbers):06}.csv", waiting)
            waiting.clear()

        def append(rows: Iterable[ManifestRow]) -> None:
            waiting.extend(rows)
            if len(waiting) >= _ROWS_AT_ONCE:
                write()

        write()
        try:
            yield append
        finally:
            write()

    def remove(self) -> None:
        """Remove it, at the end of a build."""
        for path in self._files():
            path.unlink()

    def _files(self) -> list[Path]:
        if self._path.is_dir():
            return sorted(self._path.iterdir())
        return [self._path] if self._path.exists() else []

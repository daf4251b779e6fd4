"""A file of embeddings that is being computed: known ones are copied, and a computation that is killed goes on.

unfinished = UnfinishedFile(Path("0a1b-2c3d.npy"), image_files)
for rows, embeddings in …: unfinished.write(rows, embeddings)
unfinished.finish()

An embedding is known by the bytes of its image, from the file of an older manifest and the same backbone.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

Embeddings = NDArray[np.float16]
_ROWS_AT_ONCE = 1000


class UnfinishedFile:
    """Until it is finished, it is `NAME.part`, in which the rows of missing embeddings hold NaN.

    Args:
        path: `MANIFEST-MODEL.npy`.
        images: the image files, of as many rows.

    Attributes:
        missing: the rows that are still to be written.

    Raises:
        OSError: an image cannot be read, or the file not be written.
    """

    def __init__(self, path: Path, images: Sequence[Path]) -> None:
        self._path, self._part = path, path.with_suffix(".part")
        self._keys = [hashlib.sha256(image.read_bytes()).hexdigest() for image in images]
        self.missing = list(range(len(images)))
        found = _read(self._part)
        if found is not None and len(found) == len(images):
            self.missing = [row for row, values in enumerate(found) if not np.isfinite(values).all()]
            return
        self._part.unlink(missing_ok=True)
        for older in self._older():
            self._copy(older)

    def write(self, rows: Sequence[int], embeddings: NDArray[np.floating]) -> None:
        """Write embeddings, shape (rows, …)."""
        if not self._part.exists():
            self._create(embeddings.shape[1:])
        with self._part.open("r+b") as file:
            start = _skip_header(file)
            for row, values in zip(rows, embeddings.astype(np.float16), strict=True):
                file.seek(start + row * values.nbytes)
                file.write(values.tobytes())

    def finish(self) -> None:
        """Move it into place, and remove the files of older manifests."""
        keys = self._path.with_suffix(".keys")
        keys.write_text("\n".join(self._keys))
        self._part.replace(self._path)
        for older in self._older():
            older.unlink()
            older.with_suffix(".keys").unlink(missing_ok=True)

    def _create(self, shape: tuple[int, ...]) -> None:
        """Write NaN everywhere: a disk that is too small is full now."""
        with self._part.open("wb") as file:
            npy.write_array_header_1_0(
                file, {"descr": "<f2", "fortran_order": False, "shape": (len(self._keys), *shape)}
            )
            row = np.full(shape, np.nan, "<f2").tobytes()
            for _ in self._keys:
                file.write(row)

    def _copy(self, older: Path) -> None:
        """Copy what an older file knows."""
        values, keys = _read(older), older.with_suffix(".keys")
        if values is None or not keys.exists():
            return
        known = {key: row for row, key in enumerate(keys.read_text().split())}
        rows = [row for row in self.missing if known.get(self._keys[row], len(values)) < len(values)]
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            some = rows[start : start + _ROWS_AT_ONCE]
            self.write(some, values[[known[self._keys[row]] for row in some]])
        self.missing = sorted(set(self.missing) - set(rows))

    def _older(self) -> Iterator[Path]:
        model = self._path.stem.rpartition("-")[2]
        return (path for path in self._path.parent.glob(f"*-{model}.npy") if path != self._path)


def _skip_header(file: BinaryIO) -> int:
    npy.read_magic(file)
    npy.read_array_header_1_0(file)
    return file.tell()


def _read(path: Path) -> Embeddings | None:
    """The embeddings of a file, memory-mapped; None where it is not there, or cut."""
    try:
        found: Embeddings = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None
    return found

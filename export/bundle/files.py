"""The files of a bundle, in a folder or a zip, checked against its SHA256SUMS when it is opened.

files = BundleFiles.open(Path("runs/first"))
files.read("bundle.json")
"""

import hashlib
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ser_images.data.common.bounded_file import MAX_TEXT_BYTES, open_regular, read_bounded
from ser_images.data.common.errors import UserError
from ser_images.data.common.paths import resolve_below

SUMS = "SHA256SUMS"
MAX_FILE_BYTES = 2**31
"""ONNX, a protocol buffer, can't be larger."""
MAX_FILES = 200
MAX_RATIO, MAX_WEIGHTS_RATIO = 100, 4
"""Uncompressed to compressed; trained weights hardly compress, tables of numbers at most twentyfold."""
_WEIGHTS_SUFFIXES = (".onnx", ".safetensors", ".pkl")
_SMALL_BYTES = 2**20
_CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class BundleFiles:
    """The files listed in `SHA256SUMS`, whose bytes had these sums when they were opened.

    A file of a folder may be a link, but only to a file in the same folder.

    Attributes:
        path: the folder or the zip.
        sums: SHA-256 of each file, by name.
    """

    path: Path
    sums: Mapping[str, str]

    @classmethod
    def open(cls, path: Path) -> "BundleFiles":
        """The files of a folder or a zip.

        Raises:
            UserError: no bundle, a file missing or changed, a link that leads out, or a zip that may not be unpacked.
        """
        files = cls.listed(path)
        files.require_unchanged()
        return files

    @classmethod
    def listed(cls, path: Path) -> "BundleFiles":
        """The files as `SHA256SUMS` lists them, their bytes not checked yet: see `checked_in_background`."""
        if not path.exists():
            raise UserError(f"{path}: no such file or folder; give the folder of a run, or a bundle")
        if not path.is_dir():
            open_regular(path, 2 * MAX_FILE_BYTES).close()
            _require_safe_zip(path)
        files = cls(path, {})
        if SUMS not in files._names():
            raise UserError(
                f"{path}: no run of ser-train and no bundle (it has no {SUMS}); give the folder of a run, or a bundle"
            )
        return cls(path, _parse_sums(b"".join(files._chunks(SUMS)), path))

    @contextmanager
    def checked_in_background(self) -> Iterator[None]:
        """Check all sums in a second thread; a changed file is reported before any error that it causes."""
        with ThreadPoolExecutor(1) as thread:
            check = thread.submit(self.require_unchanged)
            try:
                yield
            except UserError:
                check.result()
                raise
            check.result()

    def __contains__(self, name: str) -> bool:
        return name in self.sums

    def read(self, name: str) -> bytes:
        """A file's bytes; raises UserError where none is listed under this name."""
        self._require(name)
        return b"".join(self._chunks(name))

    def local(self, name: str) -> Path | None:
        """The file's own path in a folder, None in a zip; raises UserError as `read`."""
        self._require(name)
        if not self.path.is_dir():
            return None
        open_regular(self._path(name), _max_bytes(name)).close()
        return self._path(name)

    def size(self, name: str) -> int:
        """Bytes of a file."""
        if self.path.is_dir():
            return self._path(name).stat().st_size
        with zipfile.ZipFile(self.path) as archive:
            return archive.getinfo(name).file_size

    def _require(self, name: str) -> None:
        if name not in self.sums:
            raise UserError(f"{self.path / name}: missing; copy the whole bundle, or make it with ser-export")

    def _path(self, name: str) -> Path:
        return resolve_below(self.path, name, self.path / SUMS)

    def _names(self) -> set[str]:
        if self.path.is_dir():
            try:
                return {file.name for file in self.path.iterdir()}
            except OSError as error:
                raise UserError(f"{self.path}: cannot be read ({error.strerror})") from error
        with zipfile.ZipFile(self.path) as archive:
            return set(archive.namelist())

    def require_unchanged(self) -> None:
        """Raise UserError where a listed file is missing, or its bytes do not have the sum in `SHA256SUMS`."""
        names = self._names()
        for name in self.sums:
            if name not in names:
                raise UserError(f"{self.path / name}: missing; copy the whole bundle again")
        with ThreadPoolExecutor() as threads:
            for name, found in zip(self.sums, threads.map(self._sum, self.sums), strict=True):
                if found != self.sums[name]:
                    raise UserError(f"{self.path / name}: changed since {SUMS} was written; copy the bundle again")

    def _sum(self, name: str) -> str:
        digest = hashlib.sha256()
        for chunk in self._chunks(name):
            digest.update(chunk)
        return digest.hexdigest()

    @contextmanager
    def _opened(self, name: str) -> Iterator[IO[bytes]]:
        if self.path.is_dir():
            with open_regular(self._path(name), _max_bytes(name)) as file:
                yield file
        else:
            with zipfile.ZipFile(self.path) as archive, archive.open(name) as member:
                yield member

    def _chunks(self, name: str) -> Iterator[bytes]:
        try:
            with self._opened(name) as file:
                while chunk := file.read(_CHUNK_BYTES):
                    yield chunk
        # zipfile's errors for a member that is damaged, cut short, or of an unknown compression
        except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise UserError(f"{self.path / name}: cannot be read ({error}); copy the bundle again") from error


def write_sums(folder: Path, written: Iterable[str] | None = None) -> None:
    """Update the sums of these files in `SHA256SUMS`; None: write the sums of every file in the folder."""
    unchecked = BundleFiles(folder, {})
    if written is None:
        sums, written = {}, [file.name for file in folder.iterdir() if file.is_file()]
    else:
        sums = _parse_sums(read_bounded(folder / SUMS), folder)
    sums |= {name: unchecked._sum(name) for name in written if name != SUMS}
    part = folder / f"{SUMS}.part"
    part.write_text(sums_text(sums), encoding="utf-8")
    part.replace(folder / SUMS)


def sums_text(sums: Mapping[str, str]) -> str:
    """The content of `SHA256SUMS`, as `sha256sum --check` reads it."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))


def _parse_sums(content: bytes, path: Path) -> dict[str, str]:
    sums: dict[str, str] = {}
    for line in content.decode("utf-8", "replace").splitlines():
        digest, _, name = line.partition("  ")
        if len(sums) == MAX_FILES:
            raise UserError(f"{path / SUMS}: more than {MAX_FILES} files; give another bundle")
        if len(digest) != 64 or not _is_plain(name) or name in sums:
            raise UserError(f"{path / SUMS}: damaged at {line[:80]!r}; copy the bundle again")
        sums[name] = digest
    return sums


def _max_bytes(name: str) -> int:
    return MAX_FILE_BYTES if name.endswith(_WEIGHTS_SUFFIXES) else MAX_TEXT_BYTES


def _is_plain(name: str) -> bool:
    return bool(name) and not set(name) & set("/\\:\0") and name not in (".", "..")


def _require_safe_zip(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    # ValueError: a directory with impossible offsets; NotImplementedError: an unknown version
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise UserError(f"{path}: no folder and no zip that can be read ({error})") from error
    if len({member.filename for member in members}) < len(members) or len(members) > MAX_FILES:
        raise UserError(f"{path}: {len(members)} files, expected at most {MAX_FILES}, each once")
    for member in members:
        if not _is_plain(member.filename):
            raise UserError(f"{path}: holds {member.filename!r}, expected plain file names without a folder")
        if member.flag_bits & 1:
            raise UserError(f"{path}: {member.filename} is encrypted; give a zip without a password")
        ratio = MAX_WEIGHTS_RATIO if member.filename.endswith(_WEIGHTS_SUFFIXES) else MAX_RATIO
        allowed = _SMALL_BYTES + ratio * member.compress_size
        if member.file_size > min(allowed, _max_bytes(member.filename)):
            raise UserError(
                f"{path}: {member.filename} unpacks from {member.compress_size} to {member.file_size} bytes, "
                f"more than any bundle's does; not opened"
            )

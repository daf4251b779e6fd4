"""The files of a bundle, in a folder or a zip, checked against its SHA256SUMS when it is opened.

files = BundleFiles.open(Path("runs/first"))
files.read("bundle.json")
"""

import hashlib
import lzma
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO

from ser_images.data.common.bounded_file import open_regular
from ser_images.data.common.errors import UserError
from ser_images.data.common.paths import resolve_below
from ser_images.export.bundle.file_limits import WEIGHTS_SUFFIXES, max_bytes, require_safe_zip
from ser_images.export.bundle.signature import require_signed
from ser_images.export.bundle.sums import parse_sums, sums_text

SUMS = "SHA256SUMS"
SIGNATURE = f"{SUMS}.minisig"
"""Of `SHA256SUMS`, and so of all files that it lists; the program minisign writes it under this name, too."""
CHANGE = ".change"
"""A folder in a run with the new files of a change that is being made, or was interrupted, see `changed_run`."""
_CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class BundleFiles:
    """The files listed in `SHA256SUMS`, whose bytes had these sums when they were opened.

    A file of a folder may be a link, but only to a file in the same folder.

    Attributes:
        path: the folder or the zip.
        sums: SHA-256 of each file, by name.
        content: of `SHA256SUMS`.
        signed: the comment in the signature of `content`, which was checked; None: no signature was checked.
    """

    path: Path
    sums: Mapping[str, str]
    content: bytes = b""
    signed: str | None = None

    @classmethod
    def open(cls, path: Path, key: Path | None = None) -> "BundleFiles":
        """The files of a folder or a zip.

        Args:
            key: file of the public key that must confirm their signature; None: they need none.

        Raises:
            UserError: no bundle, a file missing or changed, a link that leads out, a zip that may not be unpacked, or
                no signature by this key.
        """
        files = cls.listed(path, key)
        files.require_unchanged()
        return files

    @classmethod
    def listed(cls, path: Path, key: Path | None = None) -> "BundleFiles":
        """The files as `SHA256SUMS` lists them, their bytes not checked yet: see `checked_in_background`."""
        if not path.exists():
            raise UserError(f"{path}: no such file or folder; give the folder of a run, or a bundle")
        if not path.is_dir():
            require_safe_zip(path)
        files = cls(path, {})
        if SUMS not in files._names():
            raise UserError(
                f"{path}: no run of ser-train and no bundle (it has no {SUMS}); give the folder of a run, or a bundle"
            )
        content = b"".join(files._chunks(SUMS))
        signed = files._require_signed(content, key) if key else None
        return cls(path, parse_sums(content, path / SUMS), content, signed)

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
        """A file's bytes; raises UserError where none is listed under this name, or they do not have its sum."""
        self._require(name)
        content = b"".join(self._chunks(name))
        self._require_sum(name, hashlib.sha256(content).hexdigest())
        return content

    def local(self, name: str) -> Path | None:
        """The file's own path in a folder; raises UserError as `read`.

        None in a zip, and where a signature was checked: a file could be replaced before it is opened; see `read`.
        """
        self._require(name)
        if self.signed is not None or not self.path.is_dir():
            return None
        open_regular(self._path(name), max_bytes(name)).close()
        return self._path(name)

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
                self._require_sum(name, found)

    def require_no_other_model(self) -> None:
        """Raise UserError for a model file that is not listed: neither sums nor signature cover it."""
        for name in sorted(self._names() - self.sums.keys()):
            if name.lower().endswith(WEIGHTS_SUFFIXES):
                raise UserError(f"{self.path / name}: a model that {SUMS} does not list; remove it")

    def signature(self) -> bytes | None:
        """Of `content`, as it is, whoever made it; None where there is none."""
        return b"".join(self._chunks(SIGNATURE)) if SIGNATURE in self._names() else None

    def _require_signed(self, content: bytes, key: Path) -> str:
        signature = self.signature()
        if signature is None:
            raise UserError(f"{self.path}: not signed (it has no {SIGNATURE}), expected a signature by {key}")
        return require_signed(content, signature, key, self.path / SIGNATURE)

    def _require_sum(self, name: str, found: str) -> None:
        if found != self.sums[name]:
            raise UserError(f"{self.path / name}: changed since {SUMS} was written; {self._remedy()}")

    def _remedy(self) -> str:
        changing = self.path.is_dir() and (self.path / CHANGE).is_dir()
        return "a command changes it, or was interrupted: run that again" if changing else "copy the bundle again"

    def _sum(self, name: str) -> str:
        digest = hashlib.sha256()
        for chunk in self._chunks(name):
            digest.update(chunk)
        return digest.hexdigest()

    @contextmanager
    def _opened(self, name: str) -> Iterator[IO[bytes]]:
        if self.path.is_dir():
            with open_regular(self._path(name), max_bytes(name)) as file:
                yield file
        else:
            with zipfile.ZipFile(self.path) as archive, archive.open(name) as member:
                yield member

    def _chunks(self, name: str) -> Iterator[bytes]:
        try:
            with self._opened(name) as file:
                while chunk := file.read(_CHUNK_BYTES):
                    yield chunk
        # zipfile's errors for a member that is damaged, cut short, of an unknown compression, or with another name
        except (
            OSError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, ValueError,
        ) as error:  # fmt: skip
            raise UserError(f"{self.path / name}: cannot be read ({error}); copy the bundle again") from error


def write_sums(folder: Path, others: Mapping[str, str] = MappingProxyType({})) -> None:
    """Write `SHA256SUMS` with the sums of every file in the folder, and these of others that are elsewhere."""
    unchecked = BundleFiles(folder, {})
    names = {file.name for file in folder.iterdir() if file.is_file()} - {SUMS, SIGNATURE}
    part = folder / f"{SUMS}.part"
    part.write_text(sums_text({**others, **{name: unchecked._sum(name) for name in names}}), encoding="utf-8")
    part.replace(folder / SUMS)

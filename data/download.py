"""Download a corpus from its public record: resumable, verified, unpacked atomically.

fetch(RAVDESS_SPEECH, Path("ravdess"))
"""

import hashlib
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import requests
from urllib3.exceptions import HTTPError

from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import locked, moved_into_place
from ser_images.data.corpora.known.ravdess import RAVDESS

TRIES = 5
"""Consecutive broken connections with less than `_CHUNK` bytes each before giving up."""
_TIMEOUT_S = 30
_PAUSE_S = 0.5
_CHUNK = 1 << 18
MIN_BYTES_PER_S = 1 << 12
"""A connection that brings less, on average since it began, counts as broken."""


@dataclass(frozen=True)
class Archive:
    """A zip in a public record.

    Attributes:
        size: in bytes.
        md5: of the whole file, as the record publishes it.
        licence: printed before the download.
    """

    name: str
    url: str
    size: int
    md5: str
    licence: str


_RECORD = "https://zenodo.org/records/1188976/files/{}?download=1"
RAVDESS_SPEECH = Archive(
    "Audio_Speech_Actors_01-24.zip",
    _RECORD.format("Audio_Speech_Actors_01-24.zip"),
    208_468_073,
    "bc696df654c87fed845eb13823edef8a",
    RAVDESS.licence,
)
RAVDESS_SONG = Archive(
    "Audio_Song_Actors_01-24.zip",
    _RECORD.format("Audio_Song_Actors_01-24.zip"),
    225_505_317,
    "5411230427d67a21e18aa4d466e6d1b9",
    RAVDESS.licence,
)


def fetch(archive: Archive, folder: Path, progress: Callable[[int], None] = lambda done: None) -> Path:
    """Download, verify and unpack an archive into `folder / STEM`; an existing folder is kept.

    Args:
        progress: called with the bytes on disk so far.

    Returns:
        The folder with the recordings.

    Raises:
        UserError: no connection, another size or checksum than published, no space, or another download into `folder`.
    """
    target, part = folder / Path(archive.name).stem, folder / f"{archive.name}.part"
    if target.exists() and not part.exists():
        return target
    try:
        with locked(folder):
            if not target.exists():
                _download(archive, part, progress)
                _verify(archive, part)
                _unpack(part, target)
            part.unlink(missing_ok=True)
    except (OSError, zipfile.BadZipFile) as error:
        raise UserError(f"{folder}: {archive.name} cannot be stored ({error}); check the disk and try again") from error
    return target


def _download(archive: Archive, part: Path, progress: Callable[[int], None]) -> None:
    """Append to `part` until it has the archive's size, from wherever earlier tries stopped."""
    failures = 0
    while (have := _size(part)) < archive.size:
        try:
            for size in _append(archive, part, have):
                progress(size)
            reason = f"the connection ended after {_size(part):,} of {archive.size:,} bytes"
        except requests.RequestException as error:
            reason = _short_reason(error)
        failures = 0 if _size(part) >= have + _CHUNK else failures + 1
        if failures == TRIES or reason.startswith("the server answered 4"):
            raise UserError(
                f"{archive.url}: {reason}; {_size(part):,} bytes are kept, run the same command to continue"
            )
        time.sleep(_PAUSE_S * failures)


def _append(archive: Archive, part: Path, have: int) -> Iterator[int]:
    """Fetch from byte `have` on; yields the size of `part` as it grows."""
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(archive.url, headers=headers, stream=True, timeout=_TIMEOUT_S) as response:
        response.raise_for_status()
        resumed = response.status_code == requests.codes.partial_content
        with part.open("ab" if resumed else "wb") as file:
            for chunk in _chunks(response):
                file.write(chunk)
                yield file.tell()
                if file.tell() > archive.size:  # refused by `_verify`
                    return


def _chunks(response: requests.Response) -> Iterator[bytes]:
    """The bytes of an answer as they arrive.

    Raises:
        requests.RequestException: the connection breaks, or is slower than `MIN_BYTES_PER_S` over `_TIMEOUT_S`.
    """
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise UserError(f"{response.url}: answers compressed, which may unpack to any size; try again later")
    start, got = time.monotonic(), 0
    for chunk in _arriving(response):
        yield chunk
        got += len(chunk)
        passed = time.monotonic() - start
        if passed > _TIMEOUT_S and got < MIN_BYTES_PER_S * passed:
            raise requests.Timeout(f"{got / passed:.0f} bytes a second")


def _arriving(response: requests.Response) -> Iterator[bytes]:
    """Whatever has arrived, at once: `iter_content` would wait for a whole chunk."""
    read = getattr(response.raw, "read1", None)
    if read is None:  # urllib3 1
        yield from response.iter_content(_CHUNK)
        return
    try:
        while chunk := read(_CHUNK, decode_content=False):
            yield chunk
    except HTTPError as error:
        raise requests.ConnectionError(str(error)) from error


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _short_reason(error: requests.RequestException) -> str:
    if error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    return f"no connection ({type(error).__name__}); check the network"


def _verify(archive: Archive, part: Path) -> None:
    """Raise UserError, and remove the file, where size or checksum differ from the record."""
    size = _size(part)
    md5 = _md5(part)
    if (size, md5) != (archive.size, archive.md5):
        part.unlink()
        raise UserError(
            f"{archive.name}: {size:,} bytes with md5 {md5}, expected {archive.size:,} with {archive.md5}; "
            f"the damaged file was removed, run the same command again"
        )


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _unpack(archive: Path, target: Path) -> None:
    with moved_into_place(target) as folder, zipfile.ZipFile(archive) as content:
        content.extractall(folder)  # zipfile drops drive letters, leading slashes and `..`

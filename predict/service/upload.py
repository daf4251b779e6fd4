"""Upload: the recording of a request, in a temporary file that goes with the answer.

async with uploaded(request, settings) as upload: …
"""

import base64
import os
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import mkstemp

from anyio import fail_after, to_thread
from fastapi import HTTPException, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from ser_images.data.common.errors import UserError
from ser_images.data.common.json_text import parse_json
from ser_images.predict.service.settings import BYTES_PER_MB, ServiceSettings
from ser_images.spectrogram_gen.sound_file import sound_format

UNNAMED = "recording"
"""The name of a recording whose request gives none."""
JSON = "application/json"
_MULTIPART = "multipart/form-data"
_RAW = ("", "application/octet-stream", "application/ogg", "application/x-www-form-urlencoded")
"""Media types of raw sound beside audio/* and video/*; the last one is what curl --data-binary sends."""
_LIMITED_RATE_HZ = 48_000


@dataclass(frozen=True)
class Upload:
    """A file that holds what was sent, and the name that the client gave it, without folders."""

    path: Path
    name: str


@asynccontextmanager
async def uploaded(request: Request, settings: ServiceSettings, *more_types: str) -> AsyncIterator[Upload]:
    """The recording in a request, raw or as multipart; its file is removed in the end, whatever happens.

    Args:
        more_types: media types that are stored as they are, too.

    Raises:
        HTTPException: 408 too slow, 413 too large, 415 another media type.
        UserError: no content, or a multipart content without exactly one file.
    """
    kind = _media_type(request)
    if not (kind in (*_RAW, _MULTIPART, *more_types) or kind.startswith(("audio/", "video/"))):
        raise HTTPException(415, f"Content-Type {kind}: expected audio/*, application/octet-stream or {_MULTIPART}")
    with _temporary_file() as path:
        try:
            with fail_after(settings.upload_timeout_s):
                name = await (_receive_form if kind == _MULTIPART else _receive_raw)(request, path, settings)
        except TimeoutError as error:
            raise HTTPException(408, f"the upload took longer than {settings.upload_timeout_s:g} s") from error
        if not path.stat().st_size:
            raise UserError("no content; expected a sound file")
        yield Upload(path, name)


def require_sound(upload: Upload, settings: ServiceSettings) -> None:
    """Look into the header of an upload, and decode nothing.

    Raises:
        HTTPException: 413 too long, 415 no sound file.
    """
    try:
        sound = sound_format(upload.path)
    except UserError as error:
        raise HTTPException(415, str(error).removeprefix(f"{upload.path}: ")) from error
    limit_s = settings.max_seconds * min(1.0, _LIMITED_RATE_HZ / sound.rate_hz)
    if sound.duration_s > limit_s:
        raise HTTPException(
            413, f"{sound.duration_s:.0f} s of sound; expected at most {limit_s:g} s, cut it into parts"
        )


def decode_json(upload: Upload) -> int | None:
    """Replace Hugging Face's JSON, which has the sound as base64, by the sound; returns its parameter top_k.

    Raises:
        UserError: other JSON.
    """
    try:
        content = parse_json(upload.path.read_bytes())
        sound = base64.b64decode(content["inputs"], validate=True)
        top = content.get("parameters", {}).get("top_k")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError('expected {"inputs": BASE64, "parameters": {"top_k": NUMBER}}') from error
    if top is not None and (type(top) is not int or top < 1):
        raise UserError(f"top_k is {top!r}, expected a whole number from 1")
    upload.path.write_bytes(sound)
    return top


@contextmanager
def _temporary_file() -> Iterator[Path]:
    handle, name = mkstemp(prefix="ser-predict-")
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink()


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _receive_raw(request: Request, path: Path, settings: ServiceSettings) -> str:
    with path.open("wb") as file:  # small writes to the page cache: no thread for each
        async for chunk in _limited(request, settings):
            file.write(chunk)
    return UNNAMED


async def _receive_form(request: Request, path: Path, settings: ServiceSettings) -> str:
    try:
        form = await MultiPartParser(request.headers, _limited(request, settings), max_files=1, max_fields=10).parse()
    except MultiPartException as error:
        raise UserError(f"multipart: {error.message}") from error
    try:
        sent = next((value for value in form.values() if isinstance(value, UploadFile)), None)
        if sent is None:
            raise UserError("multipart without a file; expected one, such as curl --form file=@clip.wav sends")
        await to_thread.run_sync(_save, sent, path)
        return PurePosixPath((sent.filename or "").replace("\\", "/")).name or UNNAMED
    finally:
        await form.close()


def _save(sent: UploadFile, path: Path) -> None:
    with path.open("wb") as file:
        shutil.copyfileobj(sent.file, file)


async def _limited(request: Request, settings: ServiceSettings) -> AsyncGenerator[bytes, None]:
    """The chunks of a request; raises HTTPException, status 413, before a chunk that is too many."""
    size, limit = 0, settings.max_mb * BYTES_PER_MB
    too_large = HTTPException(413, f"expected at most {settings.max_mb:g} MB; cut the recording into parts")
    if int(request.headers.get("content-length", 0)) > limit:
        raise too_large
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise too_large
        yield chunk

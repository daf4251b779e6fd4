"""Read any sound file as mono float32, whole or block by block.

samples, rate_hz = read_mono(Path("clip.wav"))
"""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from ser_images.data.common.addresses import is_local
from ser_images.data.common.errors import UserError

Samples = NDArray[np.float32]

MIN_RATE_HZ, MAX_RATE_HZ, MAX_CHANNELS = 4000, 768_000, 64
"""What a header can credibly claim; anything else is damage."""
END_TOLERANCE_S = 0.1
"""How much later than a recording a part of it may end: tables round."""
MAX_SAMPLES = 1 << 27
"""Mono samples that `read_mono` reads at most, 512 MiB: 46 minutes at 48 kHz; `read_blocks` has no limit."""
_BLOCK_VALUES = 1 << 24  # samples of all channels that are decoded at once, 64 MiB: memory follows content, not headers
_CUT_SHORT = re.compile(r"data : (?P<promised>\d+) \(should be (?P<there>\d+)\)")  # in libsndfile's log of a WAV
UNKNOWN_LENGTH = 0x7FFFFFFF
"""Writers to a pipe do not know the length and put this or more into the header."""


def read_mono(path: Path, start_s: float = 0.0, end_s: float | None = None) -> tuple[Samples, int]:
    """The recording, or a part of it, as (samples, rate in Hz); channels are averaged, full scale is 1.

    Args:
        start_s, end_s: the part in seconds; None: to the end. It may end up to `END_TOLERANCE_S` after the recording.

    Raises:
        UserError: not a sound file, damaged, cut short, empty, too long, samples that are not numbers, or a part that
            is not in the recording.
    """
    rate_hz, blocks = _read_part(path, start_s, end_s)
    whole = list(_require_length(blocks, path, rate_hz))
    return whole[0] if len(whole) == 1 else np.concatenate(whole), rate_hz


def _require_length(blocks: Iterator[Samples], path: Path, rate_hz: int) -> Iterator[Samples]:
    size = 0
    for block in blocks:
        size += block.size
        if size > MAX_SAMPLES:
            raise UserError(
                f"{path}: longer than {MAX_SAMPLES / rate_hz / 3600:.1f} hours; use ser-predict timeline, or cut it "
                f"into parts"
            )
        yield block


@dataclass(frozen=True)
class SoundFormat:
    """The format of a sound file by its header."""

    rate_hz: int
    channels: int
    duration_s: float


def sound_format(path: Path) -> SoundFormat:
    """The format of a recording by its header; raises UserError where it is no sound file."""
    with _open(path) as file:
        return SoundFormat(file.samplerate, file.channels, file.frames / file.samplerate)


def duration_s(path: Path) -> float:
    """The length of a recording by its header; raises UserError where it is no sound file."""
    return sound_format(path).duration_s


def _read_part(path: Path, start_s: float, end_s: float | None) -> tuple[int, Iterator[Samples]]:
    if not start_s and end_s is None:
        return read_blocks(path)
    file = _open(path)
    length_s = file.frames / file.samplerate
    if not 0 <= start_s < length_s or not 0 <= (end_s or 0) <= length_s + END_TOLERANCE_S:
        file.close()
        raise UserError(
            f"{path}: is {length_s:.2f} s long; a clip from {start_s:g} s to {'the end' if end_s is None else end_s} "
            f"is not in it"
        )
    start, end = round(start_s * file.samplerate), round(min(end_s or length_s, length_s) * file.samplerate)
    if end <= start:
        file.close()
        raise UserError(f"{path}: a clip from {start_s:g} to {end_s} s holds no samples")
    with _decoder_errors(path):
        if file.format == "MP3":  # its decoder does not seek exactly
            file.read(start, dtype="float32")
        else:
            file.seek(start)
    return file.samplerate, _blocks(file, path, max(1, _BLOCK_VALUES // file.channels), start, end)


def read_blocks(path: Path, block_s: float | None = None) -> tuple[int, Iterator[Samples]]:
    """The recording's rate in Hz, and its mono samples block by block.

    Args:
        block_s: length of a block; None: as much as 64 MiB hold, which is all of a usual clip.

    Raises:
        UserError: as `read_mono`; for damage in later blocks, when they are reached.
    """
    file = _open(path)
    most = max(1, _BLOCK_VALUES // file.channels)
    frames = most if block_s is None else min(most, max(1, round(block_s * file.samplerate)))
    return file.samplerate, _blocks(file, path, frames)


class _SequentialFile(soundfile.SoundFile):  # type: ignore[misc]  # untyped
    """A sound file read from start to end: python-soundfile seeks after each block, where MP3 then loses a frame."""

    def __init__(self, path: Path) -> None:
        self._stored = None if is_local(path) else path.open("rb")
        super().__init__(self._stored or _name(path))

    def close(self) -> None:
        super().close()
        if self._stored:
            self._stored.close()

    def seekable(self) -> bool:
        return False


def _open(path: Path) -> soundfile.SoundFile:
    with _decoder_errors(path):
        file = _SequentialFile(path)
    if not MIN_RATE_HZ <= file.samplerate <= MAX_RATE_HZ or not 1 <= file.channels <= MAX_CHANNELS:
        file.close()
        raise UserError(
            f"{path}: header with {file.samplerate} Hz and {file.channels} channels, expected {MIN_RATE_HZ} to "
            f"{MAX_RATE_HZ} Hz and up to {MAX_CHANNELS} channels: damaged; copy or export it again"
        )
    return file


def _name(path: Path) -> Any:
    return os.fsencode(path) if os.name == "posix" else path  # names that are not UTF-8


@contextmanager
def _decoder_errors(path: Path) -> Iterator[None]:
    """Turn every failure of the decoder into a UserError for this file, so that a batch goes on with the next."""
    try:
        yield
    except (soundfile.SoundFileError, OSError) as error:
        raise UserError(f"{path}: {_why_unreadable(path, error)}") from error
    except (MemoryError, OverflowError, ValueError, TypeError, RuntimeError) as error:
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise UserError(f"{path}: damaged, its decoder failed ({reason}); copy or export it again") from error


def _blocks(
    file: soundfile.SoundFile, path: Path, frames: int, start: int = 0, end: int | None = None
) -> Iterator[Samples]:
    """Mono blocks of at most this many frames, from the frame where the file stands, `start`, to `end`."""
    with file:
        if file.frames == 0:
            raise UserError(f"{path}: holds no samples; record it again")
        done, last = start, file.frames if end is None else end
        while done < last:
            with _decoder_errors(path):
                wanted = min(frames, last - done)
                samples = file.read(wanted, dtype="float32", always_2d=True)
            done += len(samples)
            if len(samples) < wanted or _is_cut_short(file.extra_info):
                raise UserError(
                    f"{path}: cut short (its header promises more sound than it holds); copy or record it again"
                )
            with _decoder_errors(path):
                mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)
            if not np.isfinite(mono).all():
                raise UserError(f"{path}: holds samples that are not numbers (NaN or infinite); export it again")
            yield mono


def hash_samples(samples: Samples, rate_hz: int) -> str:
    """SHA-256 of a recording's samples and rate: equal where two files hold the same sound."""
    digest = hashlib.sha256(rate_hz.to_bytes(4, "little"))
    digest.update(np.ascontiguousarray(samples).data)
    return digest.hexdigest()


def _why_unreadable(path: Path, error: Exception) -> str:
    if not path.exists():
        return "no such file"
    if path.is_dir():
        return "a folder, expected a sound file"
    if path.stat().st_size == 0:
        return "an empty file; record or copy it again"
    reason = getattr(error, "error_string", str(error)).rstrip(".")
    return f"not a sound file that libsndfile can read ({reason}); convert it to WAV or FLAC"


def _is_cut_short(log: str) -> bool:
    match = _CUT_SHORT.search(log)
    return match is not None and int(match["there"]) < int(match["promised"]) < UNKNOWN_LENGTH

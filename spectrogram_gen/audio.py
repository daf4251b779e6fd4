"""Any sound file or array to mono float32 at the spec's rate: trimmed, levelled, fitted to length.

samples, rate_hz = read_mono(Path("clip.wav"))
sound = pad_or_trim(prepare(samples, rate_hz, spec), spec)
"""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ser_images.data.common.errors import UserError
from ser_images.spectrogram_gen.spec import ImageSpec

Samples = NDArray[np.float32]

MIN_SOUND_S = 0.1
"""Less sound than this, silence left out, is a click and no voice: a short syllable lasts longer."""
SILENCE_DBFS = -90.0
"""Below this a recording is silence: the last bit of 16 lies at -90.3 dBFS."""
_BLOCK_S = 0.01
_CUT_SHORT = re.compile(r"data : (?P<promised>\d+) \(should be (?P<there>\d+)\)")  # in libsndfile's log of a WAV
_UNKNOWN_LENGTH = 0x7FFFFFFF  # a pipe can't know its length: such writers put this or more in the header


def read_mono(path: Path) -> tuple[Samples, int]:
    """The recording as (samples, rate in Hz); channels are averaged, full scale is 1.

    Raises:
        UserError: not a sound file, cut short, empty, or samples that are no numbers.
    """
    rate_hz, blocks = read_blocks(path)
    whole = list(blocks)
    return whole[0] if len(whole) == 1 else np.concatenate(whole), rate_hz


def duration_s(path: Path) -> float:
    """How long a recording is, as its header says; raises UserError where it is no sound file."""
    with _open(path) as file:
        return float(file.frames / file.samplerate)


def read_blocks(path: Path, block_s: float | None = None) -> tuple[int, Iterator[Samples]]:
    """The recording's rate in Hz, and its mono samples a block at a time; None: all of it in one.

    Raises:
        UserError: as `read_mono`; for what lies in later blocks, when they are reached.
    """
    file = _open(path)
    frames = -1 if block_s is None else max(1, round(block_s * file.samplerate))
    return file.samplerate, _blocks(file, path, frames)


def _open(path: Path) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(os.fsencode(path) if os.name == "posix" else path)  # names that are not UTF-8
    except (soundfile.LibsndfileError, OSError) as error:
        raise UserError(f"{path}: {_why_unreadable(path, error)}") from error


def _blocks(file: soundfile.SoundFile, path: Path, frames: int) -> Iterator[Samples]:
    with file:
        if file.frames == 0:
            raise UserError(f"{path}: holds no samples; record it again")
        heard = 0
        while heard < file.frames:
            try:
                samples = file.read(frames, dtype="float32", always_2d=True)
            except (soundfile.LibsndfileError, OSError) as error:
                raise UserError(f"{path}: {_why_unreadable(path, error)}") from error
            heard += len(samples)
            at_end = frames < 0 or len(samples) < frames
            if (at_end and heard < file.frames) or _is_cut_short(file.extra_info):
                raise UserError(
                    f"{path}: cut short (its header promises more sound than it holds); copy or record it again"
                )
            mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)
            if not np.isfinite(mono).all():
                raise UserError(f"{path}: holds samples that are no numbers (NaN or infinite); export it again")
            yield mono


def hash_samples(samples: Samples, rate_hz: int) -> str:
    """SHA-256 of a recording's samples and rate: equal where two files hold the same sound."""
    return hashlib.sha256(rate_hz.to_bytes(4, "little") + samples.tobytes()).hexdigest()


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
    return match is not None and int(match["there"]) < int(match["promised"]) < _UNKNOWN_LENGTH


def prepare(samples: Samples, rate_hz: int, spec: ImageSpec) -> Samples:
    """Mono samples to the sound of a picture: trimmed, resampled to the spec's rate, levelled.

    Args:
        samples: shape (n,), full scale 1.
        rate_hz: their sample rate.

    Returns:
        float32, shape (m,), at `spec.sample_rate_hz` and `spec.level_dbfs`.

    Raises:
        UserError: silence, or less than `MIN_SOUND_S` of sound.
    """
    sound = trim(samples, rate_hz, spec.trim_db)
    if sound.size < MIN_SOUND_S * rate_hz:
        raise UserError(
            f"{1000 * sound.size / rate_hz:.0f} ms of sound, expected at least {1000 * MIN_SOUND_S:.0f} ms; "
            f"give a longer recording"
        )
    resampled = soxr.resample(sound, rate_hz, spec.sample_rate_hz)
    return normalize_rms(resampled, spec.level_dbfs, center_crop(resampled, spec))


def trim(samples: Samples, rate_hz: int, trim_db: float) -> Samples:
    """The samples without the silence at both ends, in whole blocks of 10 ms; raises UserError as `sounding`."""
    start, end = active_range(samples, rate_hz, trim_db)
    return samples[start:end]


def active_range(samples: Samples, rate_hz: int, trim_db: float) -> tuple[int, int]:
    """The first sample that is no silence and the one after the last, in whole blocks of 10 ms.

    Args:
        trim_db: silence is this far below the loudest block.

    Raises:
        UserError: nothing above `SILENCE_DBFS`.
    """
    block = max(1, round(_BLOCK_S * rate_hz))
    whole = samples[: samples.size // block * block].reshape(-1, block)
    power = np.einsum("ij,ij->i", whole, whole) / block
    if power.max(initial=0.0) < 10 ** (SILENCE_DBFS / 10):
        if samples.size < MIN_SOUND_S * rate_hz:
            return 0, samples.size
        raise UserError(f"silence (nothing above {SILENCE_DBFS:.0f} dBFS); check the microphone and its level")
    loud = np.flatnonzero(power >= power.max() * 10 ** (-trim_db / 10))
    return int(loud[0]) * block, int(loud[-1] + 1) * block


def normalize_rms(samples: Samples, level_dbfs: float, heard: Samples | None = None) -> Samples:
    """The samples at a root mean square level of `level_dbfs`; peaks may pass full scale, none is clipped.

    Args:
        heard: the part of the samples that the level is measured on; None: all.
    """
    rms = np.sqrt(np.mean(np.square(samples if heard is None else heard), dtype=np.float64))
    return samples * np.float32(10 ** (level_dbfs / 20) / rms)


def pad_or_trim(samples: Samples, spec: ImageSpec) -> Samples:
    """Exactly `spec.n_samples`: padded with zeros or cut, evenly at both ends."""
    missing = max(0, spec.n_samples - samples.size)
    return np.pad(center_crop(samples, spec), (missing // 2, missing - missing // 2))


def center_crop(samples: Samples, spec: ImageSpec) -> Samples:
    """At most `spec.n_samples`, from the middle: what a picture shows of sound."""
    start = max(0, samples.size - spec.n_samples) // 2
    return samples[start : start + spec.n_samples]

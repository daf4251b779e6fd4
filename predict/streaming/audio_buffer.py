"""The recent part of a stream's sound, addressed by time."""

from collections import deque

import numpy as np

from ser_images.spectrogram_gen.sound_file import Samples


class AudioBuffer:
    """The recent samples of a stream, by their time in it.

    Args:
        rate_hz: sample rate of the stream.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._chunks: deque[Samples] = deque()
        self._first = self._end = 0

    @property
    def end_s(self) -> float:
        """Length of the stream up to now."""
        return self._end / self._rate_hz

    @property
    def duration_s(self) -> float:
        """Length of what the buffer holds."""
        return (self._end - self._first) / self._rate_hz

    def add(self, samples: Samples) -> None:
        """Append samples, shape (n,)."""
        self._chunks.append(samples)
        self._end += samples.size

    def between(self, start_s: float, end_s: float) -> Samples:
        """The samples between two times, as far as the buffer holds them."""
        start, end = (max(0, round(at_s * self._rate_hz) - self._first) for at_s in (start_s, end_s))
        return np.concatenate([np.zeros(0, np.float32), *self._chunks])[start:end]

    def forget(self, before_s: float) -> None:
        """Drop the samples before a time."""
        excess = max(0, round(before_s * self._rate_hz) - self._first)
        while excess and self._chunks:
            chunk = self._chunks.popleft()
            self._first += min(excess, chunk.size)
            if chunk.size > excess:
                self._chunks.appendleft(chunk[excess:])
            excess = max(0, excess - chunk.size)

"""Blocks of any size to chunks of one size, so that results do not depend on how a stream was cut."""

from collections.abc import Iterator

import numpy as np

from ser_images.spectrogram_gen.sound_file import Samples

CHUNK_S = 0.05


class Chunker:
    """Samples in blocks of any size to chunks of `CHUNK_S`.

    Args:
        rate_hz: sample rate of the stream.
    """

    def __init__(self, rate_hz: int) -> None:
        self._size = max(1, round(CHUNK_S * rate_hz))
        self._pending = np.zeros(0, np.float32)

    def feed(self, samples: Samples) -> Iterator[Samples]:
        """The chunks that these samples, shape (n,), complete."""
        pending = np.concatenate([self._pending, samples]) if self._pending.size else samples
        whole = pending.size // self._size * self._size
        self._pending = pending[whole:].copy()
        yield from pending[:whole].reshape(-1, self._size)

    def remainder(self) -> Samples:
        """What is left after the last whole chunk, shorter than a chunk."""
        remainder, self._pending = self._pending, np.zeros(0, np.float32)
        return remainder

"""Words at known times: synthetic voices with pauses of a quiet room, in blocks, for as long as is wanted.

talk = Talk(words(rate_hz), rate_hz)
for block in talk.blocks(seconds=60):
    …  # talk.spoken: the words of the blocks so far
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import soxr

from ser_images.data.corpora import synthetic
from ser_images.data.synthesis.voice import RATE_HZ
from ser_images.spectrogram_gen.audio import normalize_rms, trim
from ser_images.spectrogram_gen.sound_file import Samples

LEVEL_DBFS, ROOM_DBFS, TRIM_DB = -23.0, -80.0, 25.0
MIN_PAUSE_S, MAX_PAUSE_S = 2.0, 4.0
"""Shorter pauses could join two words to one segment."""
BLOCK_SIZES_S = (0.05, 0.05, 0.05, 0.0213, 0.01, 0.1637, 0.0001)
"""Lengths of blocks as devices deliver them, odd ones among them."""


@dataclass(frozen=True)
class Spoken:
    """A word, by its index, from sample `start` to `end` of the stream."""

    word: int
    start: int
    end: int


def words(rate_hz: int, number: int = 16, seed: int = 0) -> list[Samples]:
    """Sentences of as many synthetic voices, without the silence around them, all at one level."""
    names = list(synthetic.names(number, 1))
    chosen = islice(names, 7, None, len(names) // number)
    return [_word(synthetic.recording(name, seed), rate_hz) for name in islice(chosen, number)]


def _word(recording: Samples, rate_hz: int) -> Samples:
    sound = trim(recording, RATE_HZ, TRIM_DB)
    return normalize_rms(np.asarray(soxr.resample(sound, RATE_HZ, rate_hz)), LEVEL_DBFS, sound)


class Talk:
    """Words in random order with random pauses between them.

    Args:
        words: the sound of each, shape (n,).

    Attributes:
        spoken: the words that have begun in the blocks so far; the caller removes those that it has matched.
    """

    def __init__(self, words: Sequence[Samples], rate_hz: int, seed: int = 0) -> None:
        self._words, self._rate_hz = words, rate_hz
        self._rng = np.random.default_rng(seed)
        self._room = _room(rate_hz, self._rng)
        self.spoken: deque[Spoken] = deque()

    def blocks(self, seconds: float, sizes_s: Sequence[float] = BLOCK_SIZES_S) -> Iterator[Samples]:
        """Samples of this length in all, in blocks whose sizes are drawn from these; the last word is whole."""
        pending, left = np.zeros(0, np.float32), round(seconds * self._rate_hz)
        parts = self._parts(left)
        while left:
            size = min(left, max(1, round(self._rng.choice(sizes_s) * self._rate_hz)))
            while pending.size < size:
                pending = np.concatenate([pending, next(parts)])
            yield pending[:size]
            pending, left = pending[size:], left - size

    def _parts(self, samples: int) -> Iterator[Samples]:
        """Pause, word, pause, word, …: words only where a whole pause fits behind them."""
        now = 0
        while True:
            pause = self._pause()
            yield pause
            now += pause.size
            index = int(self._rng.integers(len(self._words)))
            word = self._words[index]
            if now + word.size + MIN_PAUSE_S * self._rate_hz <= samples:
                self.spoken.append(Spoken(index, now, now + word.size))
                yield word
                now += word.size

    def _pause(self) -> Samples:
        size = round(self._rng.uniform(MIN_PAUSE_S, MAX_PAUSE_S) * self._rate_hz)
        start = int(self._rng.integers(self._room.size - size))
        return self._room[start : start + size]


def _room(rate_hz: int, rng: np.random.Generator) -> Samples:
    return rng.normal(0, 10 ** (ROOM_DBFS / 20), round(3 * MAX_PAUSE_S * rate_hz)).astype(np.float32)

"""Windows over the speech of a stream: what is classified of it, in constant memory."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ser_images.predict.streaming.voice_activity import SpeechSegment
from ser_images.spectrogram_gen.audio import Samples

BEFORE_S, AFTER_S = 0.9, 0.7
"""Sound around a stretch of speech that belongs to it; less where another stretch ended just before."""


@dataclass(frozen=True)
class Window:
    """Sound from `start_s` to `end_s`, within the stretch of speech that begins at `stretch_s`.

    Attributes:
        before_s, after_s: seconds around it that are heard too, where the stretch begins and ends: breaths and
            final consonants are no speech to the detector, but sound to the picture.
    """

    start_s: float
    end_s: float
    stretch_s: float
    before_s: float = 0.0
    after_s: float = 0.0


class WindowPlan:
    """SpeechSegmenter of speech to windows that overlap; a stretch shorter than a window is one.

    Args:
        window_s: length of a window.
        hop_s: from the start of one to the start of the next; a stretch's last window ends with it.
    """

    def __init__(self, window_s: float, hop_s: float) -> None:
        self._window_s, self._hop_s = window_s, hop_s
        self._stretch_s, self._ended_s = -1.0, 0.0
        self._next_s = 0.0

    def feed(self, stretch: SpeechSegment) -> Iterator[Window]:
        """The windows of a stretch that weren't told yet; of an open one, those that are full."""
        if stretch.start_s != self._stretch_s:
            self._stretch_s = self._next_s = stretch.start_s
        while self._next_s + self._window_s < stretch.end_s:
            yield self._window(stretch, self._next_s, self._next_s + self._window_s)
            self._next_s += self._hop_s
        if not stretch.open:
            yield self._window(stretch, max(stretch.start_s, stretch.end_s - self._window_s), stretch.end_s)
            self._ended_s = stretch.end_s + AFTER_S

    def _window(self, stretch: SpeechSegment, start_s: float, end_s: float) -> Window:
        before_s = min(BEFORE_S, max(0.0, start_s - self._ended_s)) if start_s == stretch.start_s else 0.0
        return Window(start_s, end_s, stretch.start_s, before_s, AFTER_S if end_s == stretch.end_s else 0.0)

    def needs_from_s(self, stretch: SpeechSegment | None, now_s: float) -> float:
        """What is older by more than a moment will not be asked for again."""
        return now_s if stretch is None else min(self._next_s, stretch.end_s - self._window_s)


class AudioBuffer:
    """The last of a stream's samples, by their time in it.

    Args:
        rate_hz: of the stream.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._first = 0
        self._samples = np.zeros(0, np.float32)

    @property
    def end_s(self) -> float:
        """How much of the stream was heard."""
        return (self._first + self._samples.size) / self._rate_hz

    def add(self, samples: Samples) -> None:
        """More of the stream."""
        self._samples = np.concatenate([self._samples, samples])

    def between(self, start_s: float, end_s: float) -> Samples:
        """What was heard between two times, as far as it is still there."""
        start, end = (max(0, round(at_s * self._rate_hz) - self._first) for at_s in (start_s, end_s))
        return self._samples[start:end]

    def forget(self, before_s: float) -> None:
        """Let go of what is older."""
        older = min(max(0, round(before_s * self._rate_hz) - self._first), self._samples.size)
        self._first += older
        self._samples = self._samples[older:]

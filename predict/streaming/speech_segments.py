"""Speech segments: where somebody speaks, from the probabilities of a voice activity detector.

segmenter = SpeechSegmenter()
for segment in segmenter.feed(detector(chunk)): …
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ser_images.predict.streaming.voice_activity import BLOCK_S

BEGIN, END, MIN_SILENCE_S, MIN_SPEECH_S = 0.3, 0.1, 0.9, 0.15
"""Defaults of `SpeechSegmenter`; see its arguments."""


@dataclass(frozen=True)
class SpeechSegment:
    """Speech from `start_s` to `end_s` of a stream; `open` while it may still go on."""

    start_s: float
    end_s: float
    open: bool = False


class SpeechSegmenter:
    """Probabilities of speech to speech segments, by hysteresis with two thresholds.

    Args:
        begin: a segment begins where the probability reaches this.
        end: it goes on while the probability reaches this lower threshold.
        min_silence_s: shorter pauses belong to the segment.
        min_speech_s: shorter segments are dropped as clicks.
    """

    def __init__(
        self, begin: float = BEGIN, end: float = END, min_silence_s: float = MIN_SILENCE_S,
        min_speech_s: float = MIN_SPEECH_S,
    ) -> None:  # fmt: skip
        self._begin, self._end, self._min_silence_s, self._min_speech_s = begin, end, min_silence_s, min_speech_s
        self._now_s = 0.0
        self._start_s: float | None = None
        self._speech_end_s = 0.0

    def feed(self, probabilities: Iterable[float]) -> Iterator[SpeechSegment]:
        """The segments that close within these blocks of `BLOCK_S`."""
        for probability in probabilities:
            self._now_s += BLOCK_S
            if self._start_s is None and probability >= self._begin:
                self._start_s = self._now_s - BLOCK_S
            if self._start_s is not None and probability >= self._end:
                self._speech_end_s = self._now_s
            if self._start_s is not None and self._now_s - self._speech_end_s >= self._min_silence_s:
                yield from self.finish()

    def finish(self) -> Iterator[SpeechSegment]:
        """The open segment, closed."""
        current, self._start_s = self.current, None
        if current and self.is_speech(current):
            yield SpeechSegment(current.start_s, current.end_s)

    @property
    def current(self) -> SpeechSegment | None:
        """The open segment up to now; None in silence."""
        return None if self._start_s is None else SpeechSegment(self._start_s, self._speech_end_s, open=True)

    def is_speech(self, segment: SpeechSegment) -> bool:
        """Whether a segment is long enough to be speech."""
        return segment.end_s - segment.start_s >= self._min_speech_s

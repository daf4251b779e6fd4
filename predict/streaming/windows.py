"""Windows over speech segments: the parts of a stream that are classified.

plan = WindowPlan(window_s=3, hop_s=1)
for window in plan.feed(segment): …
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ser_images.predict.streaming.speech_segments import SpeechSegment

BEFORE_S, AFTER_S = 0.9, 0.7
"""Sound around a speech segment that belongs to it; less where the previous segment ended just before."""


@dataclass(frozen=True)
class Window:
    """Sound from `start_s` to `end_s` of a stream, within one speech segment.

    Attributes:
        before_s, after_s: seconds of sound around it that are classified with it, where the segment begins and ends:
            the detector misses breaths and final consonants, but the image shows them.
    """

    start_s: float
    end_s: float
    before_s: float = 0.0
    after_s: float = 0.0


class WindowPlan:
    """Speech segments to overlapping windows; a segment shorter than a window is one window.

    Args:
        window_s: length of a window.
        hop_s: from the start of one to the start of the next; the last window of a segment ends with the segment.
    """

    def __init__(self, window_s: float, hop_s: float) -> None:
        self._window_s, self._hop_s = window_s, hop_s
        self._segment_start_s, self._previous_end_s = -1.0, 0.0
        self._next_s = 0.0

    def feed(self, segment: SpeechSegment) -> Iterator[Window]:
        """The new windows of a segment; of an open one, those that are full."""
        if segment.start_s != self._segment_start_s:
            self._segment_start_s = self._next_s = segment.start_s
        while self._next_s + self._window_s < segment.end_s:
            yield self._window(segment, self._next_s, self._next_s + self._window_s)
            self._next_s += self._hop_s
        if not segment.open:
            yield self._window(segment, max(segment.start_s, segment.end_s - self._window_s), segment.end_s)
            self._previous_end_s = segment.end_s + AFTER_S

    def _window(self, segment: SpeechSegment, start_s: float, end_s: float) -> Window:
        before_s = self._before_s(segment) if start_s == segment.start_s else 0.0
        return Window(start_s, end_s, before_s, AFTER_S if end_s == segment.end_s else 0.0)

    def _before_s(self, segment: SpeechSegment) -> float:
        return min(BEFORE_S, max(0.0, segment.start_s - self._previous_end_s))

    def latest(self, segment: SpeechSegment, now_s: float) -> Window:
        """The window over an open segment that ends now; shorter than the others at the segment's beginning."""
        return Window(max(segment.start_s - self._before_s(segment), now_s - self._window_s), now_s)

    def needed_from_s(self, segment: SpeechSegment | None, now_s: float) -> float:
        """The earliest time that the next windows of the open segment may need, their `before_s` aside."""
        return now_s if segment is None else min(self._next_s, segment.end_s - self._window_s)

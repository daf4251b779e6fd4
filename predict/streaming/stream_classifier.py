"""A stream of sound to segments of emotion: speech, windows over it, their labels, neighbours merged.

stream = StreamClassifier(model, rate_hz)
for block in blocks:
    segments += stream.feed(block)
segments += stream.finish()

Files and the microphone go through this one class, so both give the same segments, whatever the size of the blocks.
The kernel over three windows forgets older ones, unlike a running average: a change of emotion is not delayed by what
came long before. With speaker adaptation, a window is adapted to what was known of its speaker when it came; a file as
a whole, `ser_images.predict.streaming.recording_speakers`, knows the speaker's later windows too.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from ser_images.data.common.errors import require_between
from ser_images.predict.adaptation.tracker import Adapted, SpeakerTracker, TrackedWindow
from ser_images.predict.image_model import ImageModel
from ser_images.predict.prediction import Prediction
from ser_images.predict.streaming.segments import Segment, SegmentBuilder
from ser_images.predict.streaming.settings import (
    MARGIN,
    MARGIN_RANGE,
    TIMELINE_HOP_RANGE_S,
    TIMELINE_HOP_S,
    WINDOW_RANGE_S,
)
from ser_images.predict.streaming.speech_windows import ClassifiedWindow, SpeechPart, SpeechWindows
from ser_images.predict.streaming.windows import Window
from ser_images.spectrogram_gen.sound_file import Samples


@dataclass(frozen=True)
class WindowResult:
    """A window of a stream while somebody speaks.

    Attributes:
        start_s, end_s: the sound that was classified.
        prediction: of this sound alone, adapted to its speaker where there is adaptation.
        smoothed: as it would be if speech ended here: averaged with the window before, its label held by hysteresis.
        speaker: as `Segment.speaker`.
        adapted_clips: how many windows of about 3 s are known of the voice; None without adaptation.
    """

    start_s: float
    end_s: float
    prediction: Prediction
    smoothed: Prediction
    speaker: str = ""
    adapted_clips: float | None = None


class StreamClassifier:
    """Blocks of sound to segments of emotion, in constant memory.

    Args:
        rate_hz: sample rate of the stream.
        window_s: length of a window; None: as long as the model's images.
        hop_s: from the start of one window to the start of the next.
        margin: how much more probable another label must be before the label changes within a speech segment.
        tracker: tells speakers apart and adapts to them; None: no adaptation.

    Raises:
        UserError: a hop, a window or a margin out of range.
    """

    def __init__(
        self,
        model: ImageModel,
        rate_hz: int,
        window_s: float | None = None,
        hop_s: float = TIMELINE_HOP_S,
        margin: float = MARGIN,
        tracker: SpeakerTracker | None = None,
    ) -> None:
        require_between("hop_s", hop_s, *TIMELINE_HOP_RANGE_S)
        require_between("margin", margin, *MARGIN_RANGE)
        if window_s is not None:
            require_between("window_s", window_s, *WINDOW_RANGE_S)
        self._model, self._margin, self._tracker = model, margin, tracker
        self._windows = SpeechWindows(model, rate_hz, window_s, hop_s, adaptive=tracker is not None)
        self._undecided: deque[Window] = deque()
        self._builder = self._new_builder()

    @property
    def end_s(self) -> float:
        """Length of the sound that was processed."""
        return self._windows.end_s

    @property
    def buffered_s(self) -> float:
        """Length of the sound that is kept for coming windows."""
        return self._windows.buffered_s

    def feed(self, samples: Samples) -> list[Segment]:
        """The segments that close within these mono samples, shape (n,), full scale 1."""
        return [segment for part in self._windows.feed(samples) for segment in self._process(part)]

    def finish(self) -> list[Segment]:
        """The remaining segments: the stream has ended."""
        return [segment for part in self._windows.finish() for segment in self._process(part)]

    def current(self, now_s: float | None = None) -> WindowResult | None:
        """The window that ends at `now_s` (None: at the end of the stream so far); None where nobody speaks."""
        classified = self._windows.current(now_s)
        if classified is None:
            return None
        adapted = self._tracker.preview(self._tracked(classified)) if self._tracker else None
        probabilities = adapted.probabilities if adapted else classified.outputs.probabilities
        speaker, clips = (adapted.speaker, adapted.clips) if adapted else ("", None)
        prediction = Prediction(self._model.labels, probabilities, self._model.min_confidence)
        smoothed = self._builder.preview(probabilities, speaker)
        return WindowResult(classified.window.start_s, classified.window.end_s, prediction, smoothed, speaker, clips)

    def _process(self, part: SpeechPart) -> Iterator[Segment]:
        for classified in part.windows:
            if self._tracker:
                self._undecided.append(classified.window)
                yield from self._build(self._tracker.feed(self._tracked(classified)))
            else:
                yield from self._builder.feed(classified.window, classified.outputs.probabilities)
        if part.ended:
            if self._tracker:
                yield from self._build(self._tracker.end_of_speech())
            yield from self._builder.finish()
            self._builder = self._new_builder()

    def _build(self, decided: list[Adapted]) -> Iterator[Segment]:
        for one in decided:
            yield from self._builder.feed(self._undecided.popleft(), one.probabilities, one.speaker)

    def _tracked(self, classified: ClassifiedWindow) -> TrackedWindow:
        return classified.tracked(self._model.spec.duration_s)

    def _new_builder(self) -> SegmentBuilder:
        return SegmentBuilder(self._model.labels, self._margin, self._model.min_confidence)

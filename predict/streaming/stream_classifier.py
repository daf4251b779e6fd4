"""A stream of sound to segments of emotion: speech, windows over it, their labels, neighbours merged.

stream = StreamClassifier(model, rate_hz)
for block in blocks:
    segments += stream.feed(block)
segments += stream.finish()

Files and the microphone go through this one class, so both give the same segments, whatever the size of the blocks.
Its rules are those that were measured on long recordings, RAVDESS clips with pauses (LOG.md): speech begins at a
probability of 0.3 and ends below 0.1, which found 95.9 % of the clips within 0.3 s, where 0.5 and 0.35 found 90.9 %.
Windows begin with the speech, not on a clock, so an utterance shorter than a window is classified once and whole, as
by `ser-predict file`. The kernel over three windows forgets older ones, unlike a running average: a change of emotion
is not delayed by what came long before.
"""

from dataclasses import dataclass, replace

from ser_images.data.common.errors import UserError, require_between
from ser_images.export.formats.onnx import Probabilities
from ser_images.predict.model import Model
from ser_images.predict.prediction import Prediction
from ser_images.predict.streaming.audio_buffer import AudioBuffer
from ser_images.predict.streaming.chunks import Chunker
from ser_images.predict.streaming.segments import Segment, SegmentBuilder
from ser_images.predict.streaming.settings import (
    MARGIN,
    MARGIN_RANGE,
    TIMELINE_HOP_RANGE_S,
    TIMELINE_HOP_S,
    WINDOW_RANGE_S,
)
from ser_images.predict.streaming.speech_segments import SpeechSegment, SpeechSegmenter
from ser_images.predict.streaming.voice_activity import SpeechDetector
from ser_images.predict.streaming.windows import Window, WindowPlan
from ser_images.spectrogram_gen.audio import active_range
from ser_images.spectrogram_gen.sound_file import Samples

_KEPT_S = 2.0  # speech detection lags, and a window begins before its speech


@dataclass(frozen=True)
class WindowResult:
    """A window of a stream while somebody speaks.

    Attributes:
        start_s, end_s: the sound that was classified.
        prediction: of this sound alone.
        smoothed: as it would be if speech ended here: averaged with the window before, its label held by hysteresis.
    """

    start_s: float
    end_s: float
    prediction: Prediction
    smoothed: Prediction


class StreamClassifier:
    """Blocks of sound to segments of emotion, in constant memory.

    Args:
        rate_hz: sample rate of the stream.
        window_s: length of a window; None: as long as the model's images.
        hop_s: from the start of one window to the start of the next.
        margin: how much more probable another label must be before the label changes within a speech segment.

    Raises:
        UserError: a hop, a window or a margin out of range.
    """

    def __init__(
        self,
        model: Model,
        rate_hz: int,
        window_s: float | None = None,
        hop_s: float = TIMELINE_HOP_S,
        margin: float = MARGIN,
    ) -> None:
        require_between("hop_s", hop_s, *TIMELINE_HOP_RANGE_S)
        require_between("margin", margin, *MARGIN_RANGE)
        if window_s is not None:
            require_between("window_s", window_s, *WINDOW_RANGE_S)
        self._model, self._rate_hz, self._margin = model, rate_hz, margin
        self._chunks, self._audio = Chunker(rate_hz), AudioBuffer(rate_hz)
        self._detector, self._segmenter = SpeechDetector(rate_hz), SpeechSegmenter()
        self._plan = WindowPlan(window_s or model.spec.duration_s, hop_s)
        self._builder = self._new_builder()

    @property
    def end_s(self) -> float:
        """Length of the sound that was processed."""
        return self._audio.end_s

    @property
    def buffered_s(self) -> float:
        """Length of the sound that is kept for coming windows."""
        return self._audio.duration_s

    def feed(self, samples: Samples) -> list[Segment]:
        """The segments that close within these mono samples, shape (n,), full scale 1."""
        return [segment for chunk in self._chunks.feed(samples) for segment in self._process(chunk)]

    def finish(self) -> list[Segment]:
        """The remaining segments: the stream has ended."""
        segments = self._process(self._chunks.remainder(), last=True)
        for speech in self._segmenter.finish():
            segments += self._classify(speech)
        return segments

    def current(self, now_s: float | None = None) -> WindowResult | None:
        """The window that ends at `now_s` (None: at the end of the stream so far); None where nobody speaks."""
        speech = self._segmenter.current
        if speech is None or not self._segmenter.is_speech(speech):
            return None
        window = self._plan.latest(speech, self.end_s if now_s is None else now_s)
        classified = self._probabilities(window)
        if classified is None:
            return None
        _, probabilities = classified
        prediction = Prediction(self._model.labels, probabilities, self._model.min_confidence)
        return WindowResult(window.start_s, window.end_s, prediction, self._builder.preview(probabilities))

    def _process(self, chunk: Samples, last: bool = False) -> list[Segment]:
        self._audio.add(chunk)
        segments: list[Segment] = []
        for speech in self._segmenter.feed(self._detector(chunk, last)):
            segments += self._classify(speech)
        speaking = self._segmenter.current
        if speaking:
            segments += self._classify(speaking)
        self._audio.forget(self._plan.needed_from_s(speaking, self.end_s) - _KEPT_S)
        return segments

    def _classify(self, speech: SpeechSegment) -> list[Segment]:
        segments: list[Segment] = []
        for window in self._plan.feed(speech):
            classified = self._probabilities(window)
            if classified:
                segments += self._builder.feed(*classified)
        if not speech.open:
            segments += self._builder.finish()
            self._builder = self._new_builder()
        return segments

    def _probabilities(self, window: Window) -> tuple[Window, Probabilities] | None:
        """A window and its probabilities, shape (labels,); None where its sound is too short for an image.

        Where speech begins or ends, the window is narrowed or widened to its sound.
        """
        from_s, to_s = max(0.0, window.start_s - window.before_s), window.end_s + window.after_s
        samples = self._audio.between(from_s, to_s)
        try:
            start, end = active_range(samples, self._rate_hz, self._model.spec.trim_db)
            image = self._model.image(samples, self._rate_hz)
        except UserError:  # silence, or a click
            return None
        start_s = from_s + start / self._rate_hz if window.before_s else window.start_s
        end_s = from_s + end / self._rate_hz if window.after_s else window.end_s
        return replace(window, start_s=start_s, end_s=end_s), self._model.probabilities(image[None])[0]

    def _new_builder(self) -> SegmentBuilder:
        return SegmentBuilder(self._model.labels, self._margin, self._model.min_confidence)

"""Speech windows: a stream of sound to classified windows over its speech, in constant memory.

windows = SpeechWindows(model, rate_hz)
for block in blocks:
    for part in windows.feed(block): …
for part in windows.finish(): …

Its rules are those that were measured on long recordings, RAVDESS clips with pauses (LOG.md): speech begins at a
probability of 0.3 and ends below 0.1, which found 95.9 % of the clips within 0.3 s, where 0.5 and 0.35 found 90.9 %.
Windows begin with the speech, not on a clock, so an utterance shorter than a window is classified once and whole, as
by `ser-predict file`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from ser_images.data.common.errors import UserError
from ser_images.predict.adaptation.image_outputs import ImageOutputs
from ser_images.predict.adaptation.tracker import TrackedWindow
from ser_images.predict.image_model import ImageModel
from ser_images.predict.streaming.audio_buffer import AudioBuffer
from ser_images.predict.streaming.chunks import Chunker
from ser_images.predict.streaming.settings import TIMELINE_HOP_S
from ser_images.predict.streaming.speech_check import has_speech
from ser_images.predict.streaming.speech_segments import SpeechSegment, SpeechSegmenter
from ser_images.predict.streaming.voice_activity import SpeechDetector
from ser_images.predict.streaming.windows import Window, WindowPlan
from ser_images.spectrogram_gen.audio import active_range
from ser_images.spectrogram_gen.sound_file import Samples

KEPT_S = 2.0
"""Sound that is kept before the next window: speech detection lags, and a window begins before its speech."""
CHUNKS_AT_ONCE = 100
"""Five seconds, of which speech is detected at once."""


@dataclass(frozen=True, eq=False)
class ClassifiedWindow:
    """A window and what the model computes of it.

    Attributes:
        window: its sound; where speech begins or ends, narrowed or widened to it.
        new_s: seconds of it that were in no earlier window.
    """

    window: Window
    outputs: ImageOutputs
    new_s: float

    def tracked(self, image_s: float) -> TrackedWindow:
        """As a tracker takes it; one clip is as much speech as an image shows."""
        sound_s = self.window.end_s - self.window.start_s
        return TrackedWindow(self.outputs, min(1.0, self.new_s / image_s), sound_s)


@dataclass(frozen=True, eq=False)
class SpeechPart:
    """New windows of one speech segment; `ended`: they are its last."""

    windows: tuple[ClassifiedWindow, ...]
    ended: bool


class SpeechWindows:
    """Blocks of sound to classified windows.

    Args:
        rate_hz: sample rate of the stream.
        window_s: length of a window; None: as long as the model's images.
        hop_s: from the start of one window to the start of the next.
        adaptive: compute what adapts to speakers, too.
    """

    def __init__(
        self, model: ImageModel, rate_hz: int, window_s: float | None = None, hop_s: float = TIMELINE_HOP_S,
        adaptive: bool = False,
    ) -> None:  # fmt: skip
        self._model, self._rate_hz, self._adaptive = model, rate_hz, adaptive
        self._chunks, self._audio = Chunker(rate_hz), AudioBuffer(rate_hz)
        self._detector, self._segmenter = SpeechDetector(rate_hz), SpeechSegmenter()
        self._plan = WindowPlan(window_s or model.spec.duration_s, hop_s)
        self._covered_s = 0.0

    @property
    def end_s(self) -> float:
        """Length of the sound that was processed."""
        return self._audio.end_s

    @property
    def buffered_s(self) -> float:
        """Length of the sound that is kept for coming windows."""
        return self._audio.duration_s

    def feed(self, samples: Samples) -> Iterator[SpeechPart]:
        """The windows that are complete within these mono samples, shape (n,), full scale 1."""
        chunks = self._chunks.feed(samples)
        for some in iter(lambda: list(islice(chunks, CHUNKS_AT_ONCE)), []):
            yield from self._process(some)

    def finish(self) -> Iterator[SpeechPart]:
        """The remaining windows: the stream has ended."""
        yield from self._process([self._chunks.remainder()], last=True)
        for speech in self._segmenter.finish():
            yield self._classify(speech)

    def current(self, now_s: float | None = None) -> ClassifiedWindow | None:
        """The window that ends at `now_s` (None: at the end of the stream so far); None where nobody speaks."""
        speech = self._segmenter.current
        if speech is None or not self._segmenter.is_speech(speech):
            return None
        return self._classified(self._plan.latest(speech, self.end_s if now_s is None else now_s))

    def _process(self, chunks: Sequence[Samples], last: bool = False) -> Iterator[SpeechPart]:
        for chunk, probabilities in zip(chunks, self._detector.of_each(chunks, last), strict=True):
            self._audio.add(chunk)
            for speech in self._segmenter.feed(probabilities):
                yield self._classify(speech)
            speaking = self._segmenter.current
            if speaking:
                yield self._classify(speaking)
            self._audio.forget(self._plan.needed_from_s(speaking, self.end_s) - KEPT_S)

    def _classify(self, speech: SpeechSegment) -> SpeechPart:
        windows: list[ClassifiedWindow] = []
        for window in self._plan.feed(speech):
            classified = self._classified(window)
            if classified:
                self._covered_s = classified.window.end_s
                windows.append(classified)
        return SpeechPart(tuple(windows), not speech.open)

    def _classified(self, window: Window) -> ClassifiedWindow | None:
        """A window and its outputs; None where its sound is too short for an image, or is no speech after all.

        Where speech begins or ends, the window is narrowed or widened to its sound.
        """
        from_s, to_s = max(0.0, window.start_s - window.before_s), window.end_s + window.after_s
        samples = self._audio.between(from_s, to_s)
        try:
            start, end = active_range(samples, self._rate_hz, self._model.spec.trim_db)
            image = self._model.image(samples, self._rate_hz)
        except UserError:  # silence, or a click
            return None
        if not has_speech(samples, self._rate_hz, self._model.spec, (start, end)):
            return None
        start_s = from_s + start / self._rate_hz if window.before_s else window.start_s
        end_s = from_s + end / self._rate_hz if window.after_s else window.end_s
        found = replace(window, start_s=start_s, end_s=end_s)
        (outputs,) = self._model.image_outputs(image[None], self._adaptive)
        return ClassifiedWindow(found, outputs, self._new_s(found))

    def _new_s(self, window: Window) -> float:
        return max(0.0, window.end_s - max(window.start_s, self._covered_s))

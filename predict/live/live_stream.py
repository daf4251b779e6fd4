"""Live classification: a result per hop, with the segments that `StreamClassifier` closed since the one before.

stream = LiveStream(model, rate_hz)
for block in microphone.blocks():
    for result in stream.feed(block.samples, block.arrived_s): …
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from ser_images.data.common.errors import require_between
from ser_images.export.bundle.licence import licence_of_model
from ser_images.predict.adaptation.choice import AdaptationChoice
from ser_images.predict.adaptation.tracker import SpeakerTracker
from ser_images.predict.image_model import ImageModel
from ser_images.predict.prediction import Prediction
from ser_images.predict.streaming.audio_buffer import AudioBuffer
from ser_images.predict.streaming.chunks import Chunker
from ser_images.predict.streaming.segments import Segment
from ser_images.predict.streaming.settings import LIVE_HOP_RANGE_S, LIVE_HOP_S
from ser_images.predict.streaming.stream_classifier import StreamClassifier
from ser_images.predict.streaming.voice_activity import dbfs
from ser_images.spectrogram_gen.sound_file import Samples


@dataclass(frozen=True)
class LiveResult:
    """The state of a live stream at one moment.

    Attributes:
        start_s, end_s: the sound that was classified, in seconds since the stream began; it ends now.
        level_dbfs: level of the last hop.
        prediction: of this sound alone; None where nobody speaks.
        smoothed: of the current segment, as it would be if speech ended now; None as `prediction`.
        latency_ms: from the arrival of the window's last sound to this result.
        segments: those that were closed since the last result.
        speaker: as `Segment.speaker`; empty where nobody speaks.
        adapted_clips: how many windows of about 3 s are known of the voice, 0 where nobody speaks; None without
            adaptation.
    """

    start_s: float
    end_s: float
    level_dbfs: float
    prediction: Prediction | None
    smoothed: Prediction | None
    latency_ms: float
    segments: tuple[Segment, ...] = ()
    speaker: str = ""
    adapted_clips: float | None = None

    @property
    def label(self) -> str | None:
        """The label of the current segment; None where nobody speaks."""
        return self.smoothed.label if self.smoothed else None

    def to_dict(self, model: ImageModel, dropped: int) -> dict[str, Any]:
        """The object that `ser-predict live --jsonl` prints."""
        prediction = self.prediction
        return {
            "start_s": round(self.start_s, 4),
            "end_s": round(self.end_s, 4),
            "level_dbfs": round(self.level_dbfs, 1),
            "speech": prediction is not None,
            "label": prediction.label if prediction else None,
            "confidence": round(prediction.confidence, 6) if prediction else None,
            "smoothed": self.label,
            "probabilities": _rounded(prediction.probabilities) if prediction else {},
            "segments": [self._segment(segment) for segment in self.segments],
            "latency_ms": round(self.latency_ms, 2),
            "dropped": dropped,
            "model": model.bundle.model_id,
            "spec": model.spec.hash,
            "license": licence_of_model(model.bundle),
            **self._adaptation(),
        }

    def _segment(self, segment: Segment) -> dict[str, Any]:
        values = _rounded(asdict(segment))
        if self.adapted_clips is None:
            del values["speaker"]
        return values

    def _adaptation(self) -> dict[str, Any]:
        if self.adapted_clips is None:
            return {}
        return {"speaker": self.speaker, "adapted_clips": round(self.adapted_clips, 2)}


class LiveStream:
    """Blocks of sound to live results.

    Args:
        rate_hz: sample rate of the stream.
        window_s: length of a window; None: as long as the model's images.
        hop_s: from one result to the next.
        adaptation: to whoever speaks; None: none.
    """

    def __init__(
        self,
        model: ImageModel,
        rate_hz: int,
        window_s: float | None = None,
        hop_s: float = LIVE_HOP_S,
        adaptation: AdaptationChoice | None = None,
    ) -> None:
        require_between("hop_s", hop_s, *LIVE_HOP_RANGE_S)
        self._adaptive = adaptation is not None
        tracker = SpeakerTracker(adaptation.parameters, adaptation.voice) if adaptation else None
        self._stream = StreamClassifier(model, rate_hz, window_s, tracker=tracker)
        self._window_s, self._hop_s = window_s or model.spec.duration_s, hop_s
        self._chunks, self._last_hop = Chunker(rate_hz), AudioBuffer(rate_hz)
        self._closed: list[Segment] = []
        self._next_s = hop_s

    def feed(self, samples: Samples, arrived_s: float | None = None) -> Iterator[LiveResult]:
        """The results within these mono samples, shape (n,), which arrived at `arrived_s` of `time.perf_counter`."""
        arrived_s = time.perf_counter() if arrived_s is None else arrived_s
        for chunk in self._chunks.feed(samples):
            self._last_hop.add(chunk)
            self._closed += self._stream.feed(chunk)
            while self._last_hop.end_s >= self._next_s:
                yield self._result(self._next_s, arrived_s)
                self._next_s += self._hop_s
            self._last_hop.forget(self._next_s - self._hop_s)

    def finish(self) -> Iterator[LiveResult]:
        """A last result with the remaining segments, where there are any: the stream has ended."""
        arrived_s, remainder = time.perf_counter(), self._chunks.remainder()
        self._last_hop.add(remainder)
        self._closed += [*self._stream.feed(remainder), *self._stream.finish()]
        if self._closed:
            yield self._result(self._last_hop.end_s, arrived_s)

    def results(self, blocks: Iterable[Samples]) -> Iterator[LiveResult]:
        """All results of a stream that ends."""
        for block in blocks:
            yield from self.feed(block)
        yield from self.finish()

    def _result(self, now_s: float, arrived_s: float) -> LiveResult:
        level_dbfs = dbfs(self._last_hop.between(now_s - self._hop_s, now_s))
        window = self._stream.current(now_s)
        segments, self._closed = tuple(self._closed), []
        latency_ms = 1000 * (time.perf_counter() - arrived_s)
        if window is None:
            start_s, clips = max(0.0, now_s - self._window_s), 0.0 if self._adaptive else None
            return LiveResult(start_s, now_s, level_dbfs, None, None, latency_ms, segments, "", clips)
        return LiveResult(
            window.start_s, now_s, level_dbfs, window.prediction, window.smoothed, latency_ms, segments,
            window.speaker, window.adapted_clips,
        )  # fmt: skip


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in values.items()}

"""What the microphone hears, window by window: gated by speech, classified, smoothed.

listener = StreamClassifier(classifier, rate_hz)
for block in microphone.blocks():
    for heard in listener.feed(block): …
"""

import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser_images.data.common.errors import UserError
from ser_images.predict.classifier import Classifier
from ser_images.predict.live.microphone import Block
from ser_images.predict.prediction import Prediction
from ser_images.predict.streaming.timeline import apply_hysteresis
from ser_images.predict.streaming.voice_activity import BLOCK_S, SpeechDetector, dbfs
from ser_images.predict.streaming.windows import AudioBuffer

MIN_SPEECH_S = 0.3
"""Less speech than this in a window is no voice to judge."""
_NEW = 0.5  # of the newest window in the running average


@dataclass(frozen=True)
class LiveResult:
    """One window of live sound.

    Attributes:
        start_s, end_s: since listening began.
        level_dbfs: of its last hop.
        prediction: None where nobody spoke in it.
        smoothed: of the running average over this stretch of speech; None as `prediction`.
        latency_ms: from the arrival of the window's last sound to this.
    """

    start_s: float
    end_s: float
    level_dbfs: float
    prediction: Prediction | None
    smoothed: Prediction | None
    latency_ms: float

    def to_dict(self, classifier: Classifier, dropped: int) -> dict[str, Any]:
        """The object that `--jsonl` prints."""
        said = self.prediction
        return {
            "start_s": round(self.start_s, 4),
            "end_s": round(self.end_s, 4),
            "level_dbfs": round(self.level_dbfs, 1),
            "speech": said is not None,
            "label": said.label if said else None,
            "confidence": round(said.confidence, 6) if said else None,
            "smoothed": self.smoothed.label if self.smoothed else None,
            "probabilities": {name: round(share, 6) for name, share in said.ranked().items()} if said else {},
            "latency_ms": round(self.latency_ms, 2),
            "dropped": dropped,
            "model": classifier.bundle.model_id,
            "spec": classifier.bundle.spec.hash,
        }


class StreamClassifier:
    """Blocks of sound to windows that overlap.

    Args:
        rate_hz: of the sound.
        window_s, hop_s: length of a window, and from one to the next.
        margin: how much more probable another label must be before the smoothed one changes.
    """

    def __init__(
        self, classifier: Classifier, rate_hz: int, window_s: float = 3.0, hop_s: float = 0.5, margin: float = 0.1
    ) -> None:
        self._classifier, self._rate_hz = classifier, rate_hz
        self._window_s, self._hop_s, self._margin = window_s, hop_s, margin
        self._detector, self._recent = SpeechDetector(rate_hz), AudioBuffer(rate_hz)
        self._spoken: deque[bool] = deque(maxlen=max(1, round(window_s / BLOCK_S)))
        self._next_s = hop_s
        self._average: NDArray[np.float32] | None = None
        self._label: int | None = None

    def feed(self, block: Block) -> Iterator[LiveResult]:
        """The windows that end within this block."""
        self._recent.add(block.samples)
        self._spoken.extend(probability >= 0.5 for probability in self._detector(block.samples))
        while self._recent.end_s >= self._next_s:
            end_s, self._next_s = self._next_s, self._next_s + self._hop_s
            yield self._window(max(0.0, end_s - self._window_s), end_s, block.arrived_s)
        self._recent.forget(self._next_s - self._window_s)

    def _window(self, start_s: float, end_s: float, arrived_s: float) -> LiveResult:
        level_dbfs = dbfs(self._recent.between(end_s - self._hop_s, end_s))
        said = self._said(start_s, end_s)
        smooth = self._smooth(said)
        return LiveResult(start_s, end_s, level_dbfs, said, smooth, 1000 * (time.perf_counter() - arrived_s))

    def _said(self, start_s: float, end_s: float) -> Prediction | None:
        if sum(self._spoken) * BLOCK_S < MIN_SPEECH_S:
            return None
        try:
            return self._classifier(self._recent.between(start_s, end_s), self._rate_hz)
        except UserError:  # too little sound for a picture
            return None

    def _smooth(self, said: Prediction | None) -> Prediction | None:
        if said is None:
            self._average = self._label = None
            return None
        before = said.probabilities if self._average is None else self._average
        self._average = (1 - _NEW) * before + _NEW * said.probabilities
        (self._label,) = apply_hysteresis(self._average[None], self._margin, self._label)
        return Prediction(said.labels, self._average, said.min_confidence, self._label)


@dataclass
class Summary:
    """What was heard so far, for the line at the end."""

    labels: Counter[str] = field(default_factory=Counter)
    windows: int = 0
    latencies_ms: list[float] = field(default_factory=list)

    def add(self, heard: LiveResult) -> None:
        """Count a window."""
        self.windows += 1
        if heard.prediction and heard.smoothed:
            self.labels[heard.smoothed.label] += 1
            self.latencies_ms.append(heard.latency_ms)

    def text(self, seconds: float, dropped: int) -> str:
        """One line: seconds, windows with speech, labels, latency, dropped blocks."""
        said = f"{seconds:.1f} s heard, speech in {len(self.latencies_ms)} of {self.windows} windows"
        if self.latencies_ms:
            most = ", ".join(f"{label} {count}" for label, count in self.labels.most_common())
            median, late = np.percentile(self.latencies_ms, [50, 95])
            said += f": {most}; latency {median:.0f} ms, 95 % within {late:.0f} ms"
        return f"{said}; {dropped} blocks dropped"

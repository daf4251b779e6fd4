"""The summary of a live session, a line at its end."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from ser_images.predict.live.live_stream import LiveResult


@dataclass
class Summary:
    """Counts over the results of a live session; a session of days needs no more memory than one of minutes.

    Attributes:
        duration_s: of the sound.
        dropped: blocks that were lost.
        latencies_ms: how often each latency was measured, to the millisecond.
    """

    labels: Counter[str] = field(default_factory=Counter)
    duration_s: float = 0.0
    results: int = 0
    dropped: int = 0
    latencies_ms: Counter[int] = field(default_factory=Counter)

    def add(self, result: LiveResult) -> None:
        """Count a result."""
        self.results += 1
        if result.label:
            self.labels[result.label] += 1
            self.latencies_ms[round(result.latency_ms)] += 1

    def text(self) -> str:
        """One line: duration, windows with speech, labels, latency, dropped blocks."""
        line = f"{self.duration_s:.1f} s of sound, speech in {self.labels.total()} of {self.results} windows"
        if self.latencies_ms:
            labels = ", ".join(f"{label} {count}" for label, count in self.labels.most_common())
            median, p95 = np.percentile(np.fromiter(self.latencies_ms.elements(), int), [50, 95])
            line += f": {labels}; latency {median:.0f} ms, 95 % within {p95:.0f} ms"
        return f"{line}; {self.dropped} blocks dropped"

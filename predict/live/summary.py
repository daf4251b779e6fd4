"""The summary of a live session, a line at its end."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from ser_images.predict.live.live_stream import LiveResult


@dataclass
class Summary:
    """Counts over the results of a live session."""

    labels: Counter[str] = field(default_factory=Counter)
    results: int = 0
    latencies_ms: list[float] = field(default_factory=list)

    def add(self, result: LiveResult) -> None:
        """Count a result."""
        self.results += 1
        if result.label:
            self.labels[result.label] += 1
            self.latencies_ms.append(result.latency_ms)

    def text(self, seconds: float, dropped: int) -> str:
        """One line: duration, windows with speech, labels, latency, dropped blocks."""
        line = f"{seconds:.1f} s of sound, speech in {len(self.latencies_ms)} of {self.results} windows"
        if self.latencies_ms:
            labels = ", ".join(f"{label} {count}" for label, count in self.labels.most_common())
            median, p95 = np.percentile(self.latencies_ms, [50, 95])
            line += f": {labels}; latency {median:.0f} ms, 95 % within {p95:.0f} ms"
        return f"{line}; {dropped} blocks dropped"

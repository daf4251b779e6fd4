"""Hours of sound through a live stream at speed: when each word was spoken, and when the segments say it was.

found = LongStream(model, rate_hz).run(hours=8)
"""

import gc
import json
import sys
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from known_words import Spoken, Talk, words
from process_state import drift, memory_mb
from ser_images.predict.adaptation.choice import choose_adaptation
from ser_images.predict.live.live_stream import LiveResult, LiveStream
from ser_images.predict.live.summary import Summary
from ser_images.predict.model import Model
from ser_images.predict.streaming.segments import Segment
from ser_images.predict.streaming.settings import LIVE_HOP_S

POINTS = 16
"""How often memory is measured."""


class LongStream:
    """What `ser-predict live --jsonl` computes of a talk with known words, but as fast as it goes.

    Args:
        rate_hz: sample rate of the device.
    """

    def __init__(self, model: Model, rate_hz: int, seed: int = 0) -> None:
        self._model, self._rate_hz = model, rate_hz
        self._talk = Talk(words(rate_hz), rate_hz, seed)
        self._stream = LiveStream(model, rate_hz, adaptation=choose_adaptation(model))
        self._summary = Summary()
        self.results = self.misplaced_results = self.words = self.missed = self.extra = 0
        self.start_errors_s, self.end_errors_s = array("f"), array("f")
        self.memory_mb, self.objects = array("d"), array("q")

    def run(self, hours: float, report: Callable[[dict[str, Any]], object] = lambda _: None) -> dict[str, Any]:
        """Listen to so much sound; returns what was found, with times in ms; `report` gets what was found so far."""
        seconds, samples = 3600 * hours, 0
        for block in self._talk.blocks(seconds):
            for result in self._stream.feed(block):
                self._add(result)
            samples += block.size
            if samples >= (len(self.memory_mb) + 1) * seconds / POINTS * self._rate_hz:
                self._measure()
                report(self._found(samples / self._rate_hz / 3600))
        for result in self._stream.finish():
            self._add(result, last=True)
        self.missed += len(self._talk.spoken)
        self.words += len(self._talk.spoken)
        return self._found(hours)

    def _add(self, result: LiveResult, last: bool = False) -> None:
        self._summary.add(result)
        json.dumps(result.to_dict(self._model, 0))
        if not last:
            self.results += 1
            self.misplaced_results += abs(result.end_s - self.results * LIVE_HOP_S) > 1e-6
        for segment in result.segments:
            word = self._word_of(segment)
            if word:
                self.start_errors_s.append(segment.start_s - word.start / self._rate_hz)
                self.end_errors_s.append(segment.end_s - word.end / self._rate_hz)

    def _word_of(self, segment: Segment) -> Spoken | None:
        """The word that a segment is of; counts those before it that have none, and a segment that is of no word."""
        spoken, start, end = self._talk.spoken, segment.start_s * self._rate_hz, segment.end_s * self._rate_hz
        while spoken and spoken[0].end < start:
            spoken.popleft()
            self.words, self.missed = self.words + 1, self.missed + 1
        if not spoken or spoken[0].start > end:
            self.extra += 1
            return None
        self.words += 1
        return spoken.popleft()

    def _measure(self) -> None:
        gc.collect()
        self.memory_mb.append(memory_mb())
        self.objects.append(sys.getallocatedblocks())

    def _found(self, hours: float) -> dict[str, Any]:
        starts_ms, ends_ms = (1000 * np.array(one, np.float64) for one in (self.start_errors_s, self.end_errors_s))
        return {
            "hours": round(hours, 2),
            "rate_hz": self._rate_hz,
            "results": self.results,
            "results_expected": int(3600 * hours / LIVE_HOP_S),
            "results_misplaced": self.misplaced_results,
            "words": self.words,
            "missed": self.missed,
            "extra": self.extra,
            "start_ms": _spread(starts_ms),
            "end_ms": _spread(ends_ms),
            "drift_ms": [round(drift(one.tolist()), 3) if one.size else 0.0 for one in (starts_ms, ends_ms)],
            "memory_mb": [round(value, 1) for value in self.memory_mb],
            "objects": list(self.objects),
        }


def _spread(errors_ms: NDArray[np.float64]) -> dict[str, float]:
    points = np.percentile(errors_ms, [0, 1, 50, 99, 100]).tolist() if errors_ms.size else []
    return {name: round(value, 2) for name, value in zip(("min", "1%", "median", "99%", "max"), points, strict=False)}

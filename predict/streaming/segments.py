"""Segments of emotion: classified windows of one speech segment, smoothed, neighbours of equal label merged.

builder = SegmentBuilder(labels, margin=0.1, min_confidence=0)
for window, probabilities in windows:
    segments += builder.feed(window, probabilities)
segments += builder.finish()
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ser_images.export.formats.onnx import Probabilities
from ser_images.predict.prediction import UNCERTAIN, Prediction
from ser_images.predict.streaming.smoothing import LabelSmoother, Smoothed
from ser_images.predict.streaming.windows import Window


@dataclass(frozen=True)
class Segment:
    """Speech of one emotion, from `start_s` to `end_s` of a recording or a stream.

    Attributes:
        label: one of the model's labels, or `uncertain`.
        confidence: mean of the label's smoothed probabilities, 0 to 1.
        speaker: an enrolled voice, or `speaker 1`, `speaker 2`, … in order of appearance; empty where it is not known.
    """

    start_s: float
    end_s: float
    label: str
    confidence: float
    speaker: str = ""


class SegmentBuilder:
    """The windows of one speech segment to segments of emotion, in order; a new builder for each speech segment.

    Where the label or the speaker changes, the border lies halfway between the centres of the two windows. Windows of
    different speakers are not averaged.

    Args:
        labels: of the model, in the order of the probabilities.
        margin: how much more probable another label must be before the label changes.
        min_confidence: a segment of lower confidence is `uncertain`.
    """

    def __init__(self, labels: tuple[str, ...], margin: float, min_confidence: float) -> None:
        self._labels, self._margin, self._min_confidence = labels, margin, min_confidence
        self._smoother = LabelSmoother(margin)
        self._window: Window | None = None  # the last one, not smoothed yet
        self._label: int | None = None
        self._start_s: float | None = None
        self._center_s = 0.0
        self._confidences: list[float] = []
        self._speaker = ""

    def feed(self, window: Window, probabilities: Probabilities, speaker: str = "") -> Iterator[Segment]:
        """The segments that this window closes."""
        if self._window and speaker != self._speaker:
            border_s = (_center_s(self._window) + _center_s(window)) / 2
            yield from self._finish(border_s)
            self._smoother, self._label, self._start_s = LabelSmoother(self._margin), None, border_s
        self._speaker = speaker
        for smoothed in self._smoother.feed(probabilities):
            yield from self._extend(smoothed)
        self._window = window

    def finish(self) -> Iterator[Segment]:
        """The remaining segments: speech has ended."""
        if self._window:
            yield from self._finish(self._window.end_s)

    def preview(self, probabilities: Probabilities, speaker: str = "") -> Prediction:
        """The smoothed prediction of a last window with these probabilities; changes nothing."""
        smoother = self._smoother if speaker == self._speaker else LabelSmoother(self._margin)
        smoothed = smoother.preview(probabilities)
        return Prediction(self._labels, smoothed.probabilities, self._min_confidence, smoothed.label)

    def _finish(self, end_s: float) -> Iterator[Segment]:
        for smoothed in self._smoother.finish():
            yield from self._extend(smoothed)
        yield self._close(end_s)

    def _extend(self, smoothed: Smoothed) -> Iterator[Segment]:
        assert self._window
        center_s = _center_s(self._window)
        if self._start_s is None:
            self._start_s = self._window.start_s
        if self._label is not None and smoothed.label != self._label:
            yield self._close((self._center_s + center_s) / 2)
        self._label, self._center_s = smoothed.label, center_s
        self._confidences.append(float(smoothed.probabilities[smoothed.label]))

    def _close(self, end_s: float) -> Segment:
        assert self._label is not None
        assert self._start_s is not None
        confidence = float(np.mean(self._confidences))
        label = self._labels[self._label] if confidence >= self._min_confidence else UNCERTAIN
        segment = Segment(self._start_s, end_s, label, confidence, self._speaker)
        self._start_s, self._confidences = end_s, []
        return segment


def _center_s(window: Window) -> float:
    return (window.start_s + window.end_s) / 2

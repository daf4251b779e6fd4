"""Label smoothing over time: a short kernel over the windows' probabilities, then hysteresis over the labels.

smoother = LabelSmoother(margin=0.1)
for window, probabilities in windows:
    for smoothed in smoother.feed(probabilities): …
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ser_images.export.formats.onnx import Probabilities

KERNEL = np.array((0.25, 0.5, 0.25), np.float32)
"""Weights of the window before, the window and the one after it."""


@dataclass(frozen=True)
class Smoothed:
    """One window after smoothing: float32 probabilities, shape (labels,), and the index of its label."""

    probabilities: Probabilities
    label: int


class LabelSmoother:
    """Windows of one speech segment to smoothed labels, one window late: the kernel needs the next window.

    Args:
        margin: how much more probable another label must be before the label changes.
    """

    def __init__(self, margin: float) -> None:
        self._margin = margin
        self._before: Probabilities | None = None
        self._last: Probabilities | None = None
        self._label: int | None = None

    def feed(self, probabilities: Probabilities) -> Iterator[Smoothed]:
        """The window before this one, smoothed."""
        if self._last is not None:
            smoothed = self._smooth(self._last, probabilities)
            self._label = smoothed.label
            yield smoothed
        self._before, self._last = self._last, probabilities

    def finish(self) -> Iterator[Smoothed]:
        """The last window, smoothed: its own probabilities stand in for a next window's."""
        if self._last is not None:
            yield self._smooth(self._last, self._last)

    def preview(self, probabilities: Probabilities) -> Smoothed:
        """What `finish` would return if this were the last window; changes nothing."""
        ahead = LabelSmoother(self._margin)
        ahead._before, ahead._last, ahead._label = self._before, self._last, self._label
        list(ahead.feed(probabilities))
        (smoothed,) = ahead.finish()
        return smoothed

    def _smooth(self, current: Probabilities, after: Probabilities) -> Smoothed:
        before = current if self._before is None else self._before
        probabilities = np.stack([before, current, after], axis=1) @ KERNEL
        return Smoothed(probabilities, apply_hysteresis(probabilities, self._margin, self._label))


def apply_hysteresis(probabilities: NDArray[np.float32], margin: float, before: int | None) -> int:
    """The index of a window's label: the previous one, unless another is more probable by the margin.

    Args:
        probabilities: shape (labels,).
        before: the label of the window before; None for the first.
    """
    best = int(probabilities.argmax())
    return best if before is None or probabilities[best] >= probabilities[before] + margin else before

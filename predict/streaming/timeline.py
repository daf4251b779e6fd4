"""A recording of any length to segments of emotion: speech, windows over it, smoothing, neighbours merged.

found = timeline(Path("meeting.wav"), classifier)
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ser_images.data.common.errors import UserError
from ser_images.export.formats.onnx import Images
from ser_images.predict.classifier import Classifier
from ser_images.predict.prediction import UNCERTAIN
from ser_images.predict.streaming.voice_activity import SpeechDetector, SpeechSegmenter
from ser_images.predict.streaming.windows import AudioBuffer, Window, WindowPlan
from ser_images.spectrogram_gen.audio import active_range, read_blocks

BLOCK_S = 5.0
_BATCH = 16
_KEPT_S = 2.0  # speech detection lags, and a window reaches back
_NEIGHBOURS = (0.25, 0.5, 0.25)


@dataclass(frozen=True)
class Segment:
    """One emotion, from `start_s` to `end_s` of a recording.

    Attributes:
        label: of the model, or `uncertain`.
        confidence: the mean of the label's smoothed probabilities.
    """

    start_s: float
    end_s: float
    label: str
    confidence: float


@dataclass(frozen=True)
class Timeline:
    """The segments of a recording, in order, and its length."""

    segments: tuple[Segment, ...]
    duration_s: float


def timeline(
    path: Path,
    classifier: Classifier,
    hop_s: float = 1.0,
    margin: float = 0.1,
    progress: Callable[[float], None] = lambda _: None,
) -> Timeline:
    """The segments of a recording; none where nobody speaks.

    Args:
        hop_s: from window to window; a window is as long as the model's pictures.
        margin: how much more probable another label must be before the label changes within a stretch of speech.
        progress: told the seconds that were heard.

    Raises:
        UserError: the recording can't be read.
    """
    heard_s = 0.0

    def hear(now_s: float) -> None:
        nonlocal heard_s
        heard_s = now_s
        progress(now_s)

    said = list(_windows(path, classifier, hop_s, hear))
    segments: list[Segment] = []
    for _, stretch in groupby(said, key=lambda one: one[0].stretch_s):
        segments += _segments(list(stretch), classifier, margin)
    return Timeline(tuple(segments), heard_s)


def _windows(
    path: Path, classifier: Classifier, hop_s: float, progress: Callable[[float], None]
) -> Iterator[tuple[Window, NDArray[np.float32]]]:
    """Every window with speech in it, and the model's probabilities; sound is let go of as soon as it was seen."""
    rate_hz, blocks = read_blocks(path, BLOCK_S)
    detector, stretches = SpeechDetector(rate_hz), SpeechSegmenter()
    plan, recent = WindowPlan(classifier.bundle.spec.duration_s, hop_s), AudioBuffer(rate_hz)
    waiting: list[tuple[Window, Images]] = []
    for block in blocks:
        recent.add(block)
        ended = list(stretches.feed(detector(block)))
        for stretch in [*ended, *filter(None, [stretches.current])]:
            waiting += _pictures(plan.feed(stretch), recent, rate_hz, classifier)
        recent.forget(plan.needs_from_s(stretches.current, recent.end_s) - _KEPT_S)
        if len(waiting) >= _BATCH:
            yield from _classified(waiting, classifier)
            waiting = []
        progress(recent.end_s)
    for stretch in [*stretches.feed(detector(np.zeros(0, np.float32), last=True)), *stretches.finish()]:
        waiting += _pictures(plan.feed(stretch), recent, rate_hz, classifier)
    yield from _classified(waiting, classifier)


def _pictures(
    windows: Iterator[Window], recent: AudioBuffer, rate_hz: int, classifier: Classifier
) -> Iterator[tuple[Window, Images]]:
    """Windows with their pictures; where a stretch begins or ends, the window does so with its sound."""
    for window in windows:
        from_s, to_s = max(0.0, window.start_s - window.before_s), window.end_s + window.after_s
        heard = recent.between(from_s, to_s)
        try:
            start, end = active_range(heard, rate_hz, classifier.bundle.spec.trim_db)
            picture = classifier.picture(heard, rate_hz)
        except UserError:  # too little sound for a picture: no emotion is told from it
            continue
        start_s = from_s + start / rate_hz if window.before_s else window.start_s
        end_s = from_s + end / rate_hz if window.after_s else window.end_s
        yield replace(window, start_s=start_s, end_s=end_s), picture


def _classified(
    waiting: Sequence[tuple[Window, Images]], classifier: Classifier
) -> Iterator[tuple[Window, NDArray[np.float32]]]:
    if waiting:
        said = classifier.of_pictures(np.stack([picture for _, picture in waiting]))
        yield from zip([window for window, _ in waiting], said, strict=True)


def _segments(
    said: Sequence[tuple[Window, NDArray[np.float32]]], classifier: Classifier, margin: float
) -> Iterator[Segment]:
    """The segments of one stretch of speech."""
    smooth = smoothed(np.array([probabilities for _, probabilities in said]))
    labels = apply_hysteresis(smooth, margin)
    centres = [(window.start_s + window.end_s) / 2 for window, _ in said]
    edges = [said[0][0].start_s, *((one + two) / 2 for one, two in pairwise(centres)), said[-1][0].end_s]
    for label, members in groupby(range(len(said)), key=lambda index: labels[index]):
        indices = list(members)
        confidence = float(smooth[indices, label].mean())
        name = classifier.bundle.labels[label] if confidence >= classifier.min_confidence else UNCERTAIN
        yield Segment(edges[indices[0]], edges[indices[-1] + 1], name, confidence)


def smoothed(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each window's probabilities averaged with its neighbours', itself instead of one at an end; (windows, labels)."""
    padded = np.pad(probabilities, ((1, 1), (0, 0)), mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, len(_NEIGHBOURS), axis=0)
    return around @ np.array(_NEIGHBOURS, np.float32)


def apply_hysteresis(probabilities: NDArray[np.float32], margin: float, before: int | None = None) -> list[int]:
    """A label's index for each window, which changes only where another is more probable by the margin.

    Args:
        probabilities: shape (windows, labels).
        before: the label before the first window, if there was one.
    """
    labels: list[int] = []
    for window in probabilities:
        best = int(window.argmax())
        if before is None or window[best] >= window[before] + margin:
            before = best
        labels.append(before)
    return labels

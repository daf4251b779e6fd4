"""Prediction: the result of classifying one sound."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNCERTAIN = "uncertain"
NO_SPEECH = "no speech"


@dataclass(frozen=True)
class Prediction:
    """The probability of every label for one sound, and the label that follows from them.

    Attributes:
        labels: of the model, in the order of `values`.
        values: their probabilities, float32, shape (labels,), of sum 1.
        min_confidence: below it the label is `uncertain`.
        chosen: index of the label; None: the most probable one.
        duration_s: length of the sound; None where it is not known.
        classified_s: how much of it, silence at both ends left out, the image shows.
        cropped: the sound is longer than the image, which shows its middle only.
        speech: whether somebody speaks; otherwise the label is `no speech`, and there are no probabilities.
    """

    labels: tuple[str, ...]
    values: NDArray[np.float32]
    min_confidence: float = 0.0
    chosen: int | None = None
    duration_s: float | None = None
    classified_s: float | None = None
    cropped: bool = False
    speech: bool = True

    def __str__(self) -> str:
        if not self.speech:
            return NO_SPEECH
        best = ", ".join(f"{label} {probability:.1%}" for label, probability in self.ranked(3).items())
        return f"{self.label} ({best})" if self.label == UNCERTAIN else best

    @property
    def index(self) -> int:
        """Index of the label in `labels`, whether or not it is certain enough."""
        return int(self.values.argmax()) if self.chosen is None else self.chosen

    @property
    def confidence(self) -> float:
        """The probability of the label; 0 where nobody speaks."""
        return float(self.values[self.index]) if self.speech else 0.0

    @property
    def label(self) -> str:
        """The label, or `uncertain` below `min_confidence`, or `no speech`."""
        if not self.speech:
            return NO_SPEECH
        return self.labels[self.index] if self.confidence >= self.min_confidence else UNCERTAIN

    @property
    def probabilities(self) -> dict[str, float]:
        """Every label with its probability, best first; empty where nobody speaks."""
        return self.ranked()

    def ranked(self, top: int | None = None) -> dict[str, float]:
        """Labels with their probabilities, best first; at most `top` of them; none where nobody speaks."""
        if not self.speech:
            return {}
        order = np.argsort(-self.values, kind="stable")[:top]
        return {self.labels[index]: float(self.values[index]) for index in order}

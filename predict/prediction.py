"""Prediction: what a classifier says of one sound."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNCERTAIN = "uncertain"


@dataclass(frozen=True)
class Prediction:
    """Every label's probability, and what is made of them.

    Attributes:
        labels: of the model, in the order of `probabilities`.
        probabilities: float32, shape (labels,), of sum 1.
        min_confidence: a probability below it is said as `uncertain`.
        chosen: the index of the label that is said; None: the most probable one.
    """

    labels: tuple[str, ...]
    probabilities: NDArray[np.float32]
    min_confidence: float = 0.0
    chosen: int | None = None

    @property
    def index(self) -> int:
        """Of the label that is said."""
        return int(self.probabilities.argmax()) if self.chosen is None else self.chosen

    @property
    def confidence(self) -> float:
        """The probability of the label that is said."""
        return float(self.probabilities[self.index])

    @property
    def label(self) -> str:
        """The label that is said, or `uncertain`."""
        return self.labels[self.index] if self.confidence >= self.min_confidence else UNCERTAIN

    def ranked(self, top: int | None = None) -> dict[str, float]:
        """Labels with their probabilities, best first; at most `top` of them."""
        order = np.argsort(-self.probabilities, kind="stable")[:top]
        return {self.labels[index]: float(self.probabilities[index]) for index in order}

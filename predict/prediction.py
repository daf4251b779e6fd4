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
        min_confidence: a best probability below it is said as `uncertain`.
    """

    labels: tuple[str, ...]
    probabilities: NDArray[np.float32]
    min_confidence: float = 0.0

    @property
    def confidence(self) -> float:
        """The best label's probability."""
        return float(self.probabilities.max())

    @property
    def label(self) -> str:
        """The best label, or `uncertain`."""
        best = self.labels[int(self.probabilities.argmax())]
        return best if self.confidence >= self.min_confidence else UNCERTAIN

    def ranked(self, top: int | None = None) -> dict[str, float]:
        """Labels with their probabilities, best first; at most `top` of them."""
        order = np.argsort(-self.probabilities, kind="stable")[:top]
        return {self.labels[index]: float(self.probabilities[index]) for index in order}

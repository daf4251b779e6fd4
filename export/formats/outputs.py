"""Outputs: what an adaptive model computes of images, all at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Outputs:
    """Of n images.

    Attributes:
        probabilities: plain, shape (n, labels).
        embeddings: the input of the network's last layer, shape (n, dim).
        speaker_logits: of the speaker head, shape (n, labels); see `ser_images.export.adaptation.speaker_mean`.
        speaker_embeddings: shape (n, 192), of length 1; None where the model cannot tell speakers apart.
    """

    probabilities: Floats
    embeddings: Floats
    speaker_logits: Floats
    speaker_embeddings: Floats | None = None

    @classmethod
    def of(cls, arrays: Any) -> "Outputs":
        """From the model's outputs in order."""
        return cls(*(np.asarray(array, np.float32) for array in arrays))

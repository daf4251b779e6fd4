"""How often a training example is drawn, or how much a clip weighs, so that groups have equal shares.

weights = balanced_weights(rows, "corpus")
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ser_images.spectrogram_gen.dataset.manifest import ManifestRow


def balanced_weights(rows: Sequence[ManifestRow], by: str) -> NDArray[np.float64]:
    """A weight for each row, of mean 1; rows of each group have the same sum.

    Args:
        by: `corpus`, `speaker` or `label`; `none`: all weights are 1.
    """
    groups = [getattr(row, by) if by != "none" else "" for row in rows]
    counts = Counter(groups)
    return np.array([len(rows) / (len(counts) * counts[group]) for group in groups])

"""Speaker adaptation: the mean embedding of a speaker, estimated from clips without labels.

speaker = SpeakerMean(population_mean)
for embedding, plain in clips:
    speaker.add(embedding, plain)
    adapted = probabilities_of(embedding - speaker.mean)
    probabilities = speaker.blend(plain, adapted)

Assumptions: one person speaks, and the emotions vary. Then an embedding is the speaker's mean plus the emotion plus
noise, and the mean can be taken away. It is shrunk towards the population mean, as the posterior mean of a normal
prior is (Gelman A et al., Bayesian Data Analysis, 3rd ed., section 2.5). The mean of few clips,
or of clips of few emotions, is partly emotion: as long as that is so, the plain prediction keeps a share.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Adaptation:
    """How fast a speaker's mean is trusted.

    Attributes:
        prior_clips: the population mean counts as this many clips.
        plain_clips: the plain prediction counts as this many clips, the adapted one as those that were added.
        diversity_power: clips count less while few labels were predicted: times the perplexity of the mean prediction
            over the number of labels, to this power; 0: they count in full.
    """

    prior_clips: float = 0.5
    plain_clips: float = 3.0
    diversity_power: float = 2.0


class SpeakerMean:
    """The mean embedding of one speaker, updated clip by clip.

    Args:
        population_mean: mean of the training speakers' means, shape (…, dim) as an embedding.
    """

    def __init__(self, population_mean: ArrayLike, adaptation: Adaptation | None = None) -> None:
        self._population = np.asarray(population_mean, np.float64)
        self._adaptation = adaptation or Adaptation()
        self._excess = np.zeros_like(self._population)
        self._predicted: Values = np.zeros(0)
        self.clips = 0

    def add(self, embedding: ArrayLike, plain: ArrayLike) -> None:
        """Take a clip into account.

        Args:
            embedding: of the clip, of the population mean's shape.
            plain: its probabilities without adaptation, shape (labels,).
        """
        probabilities = np.asarray(plain, np.float64)
        self._predicted = self._predicted + probabilities if self.clips else probabilities
        self._excess = self._excess + np.asarray(embedding, np.float64) - self._population
        self.clips += 1

    @property
    def effective_clips(self) -> float:
        """Number of clips, reduced while few labels were predicted."""
        if not self.clips:
            return 0.0
        mean = self._predicted / self.clips
        perplexity = np.exp(-(mean * np.log(np.maximum(mean, 1e-12))).sum())
        return float(self.clips * (perplexity / mean.size) ** self._adaptation.diversity_power)

    @property
    def mean(self) -> Values:
        """The estimate of the speaker's mean; of no clip, the population mean."""
        if not self.clips:
            return self._population
        trust = self.effective_clips / (self.effective_clips + self._adaptation.prior_clips)
        return self._population + trust * self._excess / self.clips

    def blend(self, plain: ArrayLike, adapted: ArrayLike) -> Values:
        """Probabilities (labels,) from the plain and the adapted ones; the more clips, the more of the adapted ones."""
        share = self.effective_clips / (self.effective_clips + self._adaptation.plain_clips)
        return share * np.asarray(adapted, np.float64) + (1 - share) * np.asarray(plain, np.float64)

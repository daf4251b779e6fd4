"""The mean of one speaker's clips, estimated without labels, and the probabilities that are adapted to it.

speaker = AdaptedSpeaker(bundle.adaptation)
for plain, speaker_logits in outputs:
    speaker.add(plain, speaker_logits)
    probabilities = speaker.adapt(plain, speaker_logits)

Assumptions: one person speaks, and the emotions vary. Then an embedding is the speaker's mean plus the emotion plus
noise, and the mean can be subtracted. It is shrunk towards the population mean, as the posterior mean of a normal prior
is (Gelman A et al., Bayesian Data Analysis, 3rd ed., section 2.5). The mean of few clips, or of clips of few emotions,
is partly emotion: as long as that is so, the plain prediction keeps a share.

The speaker head is linear, so the mean is kept in logits: W (mean - population mean). That is worth
the same as the mean of the embeddings, and has a few labels instead of thousands of dimensions.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ser_images.export.adaptation.parameters import Shrinkage, SpeakerAdaptation

Values = NDArray[np.float64]


class SpeakerMean:
    """The mean of one speaker's clips, minus the population mean, updated clip by clip.

    Args:
        shrinkage: how fast it is trusted.

    Attributes:
        clips: the number of clips that were added.
    """

    def __init__(self, shrinkage: Shrinkage) -> None:
        self._shrinkage = shrinkage
        self._sum: Values = np.zeros(())
        self._predicted: Values = np.zeros(())
        self.clips = 0.0

    def add(self, excess: ArrayLike, plain: ArrayLike, clips: float = 1) -> None:
        """Take a clip into account.

        Args:
            excess: of the clip over the population mean, any shape, always the same.
            plain: its probabilities without adaptation, shape (labels,).
            clips: its weight: of means of several clips their number, of a part of a clip its share.
        """
        self._sum = self._sum + clips * np.asarray(excess, np.float64)
        self._predicted = self._predicted + clips * np.asarray(plain, np.float64)
        self.clips += clips

    @property
    def effective_clips(self) -> float:
        """Number of clips, reduced while few labels were predicted."""
        if not self.clips:
            return 0.0
        mean = self._predicted / self.clips
        perplexity = np.exp(-(mean * np.log(np.maximum(mean, 1e-12))).sum())
        return float(self.clips * (perplexity / mean.size) ** self._shrinkage.diversity_power)

    @property
    def excess(self) -> Values:
        """The estimate of the speaker's mean minus the population mean; of no clip, zero."""
        if not self.clips:
            return self._sum
        trust = self.effective_clips / (self.effective_clips + self._shrinkage.prior_clips)
        return trust * self._sum / self.clips

    @property
    def adapted_share(self) -> float:
        """The share of the adapted probabilities beside the plain ones, 0 to 1."""
        effective = self.effective_clips
        return effective / (effective + self._shrinkage.plain_clips) if effective else 0.0

    @property
    def means(self) -> tuple[Values, Values]:
        """Mean excess and mean plain probabilities of all clips, not shrunk: what a profile keeps."""
        clips = self.clips or 1
        return self._sum / clips, self._predicted / clips


class AdaptedSpeaker:
    """One speaker of a model: clips are added, and probabilities adapted to what is known.

    Args:
        adaptation: of the model's bundle.

    Attributes:
        mean: the estimate, in logits of the speaker head, shape (labels,).
    """

    def __init__(self, adaptation: SpeakerAdaptation) -> None:
        self._bias = np.array(adaptation.bias)
        self._temperature = adaptation.temperature
        self.mean = SpeakerMean(adaptation.shrinkage)

    def add(self, plain: ArrayLike, speaker_logits: ArrayLike, clips: float = 1) -> None:
        """Take a clip of the speaker into account.

        Args:
            plain: its probabilities without adaptation, shape (labels,).
            speaker_logits: of the speaker head, shape (labels,).
            clips: its weight, see `SpeakerMean.add`.
        """
        self.mean.add(speaker_logits, plain, clips)

    def adapt(self, plain: ArrayLike, speaker_logits: ArrayLike) -> NDArray[np.float32]:
        """Probabilities (…, labels) of clips, from their plain ones and the logits of the speaker head."""
        logits = np.asarray(speaker_logits, np.float64) - self.mean.excess + self._bias
        adapted = _softmax(logits / self._temperature)
        share = self.mean.adapted_share
        return (share * adapted + (1 - share) * np.asarray(plain, np.float64)).astype(np.float32)


def _softmax(values: Values) -> Values:
    """As SciPy's, without which prediction is installed."""
    exponentials: Values = np.exp(values - values.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)

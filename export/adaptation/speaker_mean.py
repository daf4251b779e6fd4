"""The mean of one speaker's clips, estimated without labels, and the probabilities that are adapted to it.

speaker = AdaptedSpeaker(bundle.adaptation)
for plain, speaker_logits in outputs:
    speaker.add(plain, speaker_logits)
    probabilities = speaker.adapt(plain, speaker_logits)

Assumptions: one person speaks, and the emotions vary. Then an embedding is the speaker's mean plus the emotion plus
noise, and the mean can be subtracted. It is shrunk towards the population mean, as the posterior mean of a normal prior
is (Gelman A et al., Bayesian Data Analysis, 3rd ed., section 2.5). The mean of few clips, or of clips of few emotions,
is partly emotion: as long as that is so, the plain prediction keeps a share.

The speaker head is linear (with corpus heads: for clips that sound like one corpus), so the mean is kept in logits:
W (mean - population mean). That is worth the same as the mean of the embeddings, and has a few labels instead of
thousands of dimensions.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ser_images.export.adaptation.parameters import Shrinkage, SpeakerAdaptation

Values = NDArray[np.float64]


def effective_clips(clips: ArrayLike, predicted: ArrayLike, shrinkage: Shrinkage) -> Values:
    """Numbers of clips (…), reduced where few labels were predicted.

    Args:
        clips: numbers of clips, shape (…).
        predicted: mean plain probabilities of these clips, shape (…, labels).
    """
    mean = np.asarray(predicted, np.float64)
    perplexity = np.exp(-(mean * np.log(np.maximum(mean, 1e-12))).sum(-1))
    effective: Values = np.asarray(clips) * (perplexity / mean.shape[-1]) ** shrinkage.diversity_power
    return effective


def adapt(
    plain: ArrayLike, speaker_logits: ArrayLike, mean: ArrayLike, effective: ArrayLike, adaptation: SpeakerAdaptation
) -> Values:
    """Probabilities (…, labels) of clips, adapted to what is known of their speakers.

    Args:
        plain: without adaptation, shape (…, labels).
        speaker_logits: of the speaker head, shape (…, labels).
        mean: mean speaker logits of each clip's speaker, shape (…, labels).
        effective: `effective_clips` that this mean is of, shape (…).
    """
    known = np.asarray(effective, np.float64)[..., None]
    trust = known / (known + adaptation.shrinkage.prior_clips)
    share = adapted_share(known, adaptation.shrinkage)
    logits = np.asarray(speaker_logits, np.float64) - trust * np.asarray(mean) + np.array(adaptation.bias)
    return share * _softmax(logits / adaptation.temperature) + (1 - share) * np.asarray(plain, np.float64)


def adapted_share(effective: ArrayLike, shrinkage: Shrinkage) -> Values:
    """The share of the adapted probabilities beside the plain ones, 0 to 1, of `effective_clips`."""
    known = np.asarray(effective, np.float64)
    return known / (known + shrinkage.plain_clips)


class AdaptedSpeaker:
    """One speaker of a model: clips are added, and probabilities adapted to what is known.

    Args:
        adaptation: of the model's bundle.

    Attributes:
        clips: the number of clips that were added.
    """

    def __init__(self, adaptation: SpeakerAdaptation) -> None:
        self._adaptation = adaptation
        self._logits: Values = np.zeros(len(adaptation.bias))
        self._predicted: Values = np.zeros(len(adaptation.bias))
        self.clips = 0.0

    def add(self, plain: ArrayLike, speaker_logits: ArrayLike, clips: float = 1) -> None:
        """Take a clip of the speaker into account.

        Args:
            plain: its probabilities without adaptation, shape (labels,).
            speaker_logits: of the speaker head, shape (labels,).
            clips: its weight: of means of several clips their number, of a part of a clip its share.
        """
        self._predicted = self._predicted + clips * np.asarray(plain, np.float64)
        self._logits = self._logits + clips * np.asarray(speaker_logits, np.float64)
        self.clips += clips

    @property
    def effective_clips(self) -> float:
        """Number of clips, reduced while few labels were predicted."""
        if not self.clips:
            return 0.0
        return float(effective_clips(self.clips, self._predicted / self.clips, self._adaptation.shrinkage))

    @property
    def adapted_share(self) -> float:
        """The share of the adapted probabilities beside the plain ones, 0 to 1."""
        return float(adapted_share(self.effective_clips, self._adaptation.shrinkage)) if self.clips else 0.0

    def adapt(self, plain: ArrayLike, speaker_logits: ArrayLike) -> NDArray[np.float32]:
        """Probabilities (…, labels) of clips, from their plain ones and the logits of the speaker head."""
        if not self.clips:
            return np.asarray(plain, np.float32)
        mean = self._logits / self.clips
        return adapt(plain, speaker_logits, mean, self.effective_clips, self._adaptation).astype(np.float32)


def _softmax(values: Values) -> Values:
    """As SciPy's, without which prediction is installed."""
    exponentials: Values = np.exp(values - values.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)

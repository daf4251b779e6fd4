"""KnownSpeaker: one speaker of a stream or a recording, what is known of the voice, and how alike another window is."""

from copy import copy

import numpy as np
from numpy.typing import NDArray

from ser_images.export.adaptation.parameters import SPEAKER_DIM, SpeakerAdaptation
from ser_images.export.adaptation.speaker_mean import AdaptedSpeaker
from ser_images.export.formats.onnx import Probabilities
from ser_images.export.formats.outputs import Floats
from ser_images.predict.adaptation.image_outputs import ImageOutputs
from ser_images.predict.adaptation.profile import Profile

MIN_CLIPS = 5
"""With fewer, adaptation gains little."""


class KnownSpeaker:
    """One speaker, adapted to by the windows that were added.

    Args:
        name: empty where speakers are not distinguished.
        adaptation: of the model's bundle.
        profile: of an enrolled voice: what is known from the start.
    """

    def __init__(self, name: str, adaptation: SpeakerAdaptation, profile: Profile | None = None) -> None:
        self.name = name
        self._adapted = profile.speaker(adaptation) if profile else AdaptedSpeaker(adaptation)
        self._embedding_sum: NDArray[np.float64] = np.zeros(SPEAKER_DIM)
        self._embedding_clips = 0.0
        if profile and profile.speaker_embedding is not None:
            self._embedding_sum, self._embedding_clips = profile.clips * profile.speaker_embedding, profile.clips

    @property
    def clips(self) -> float:
        """How many windows of about 3 s are known of the voice."""
        return self._adapted.clips

    def add(self, outputs: ImageOutputs, clips: float) -> None:
        """Take a window of this speaker into account, whose weight is `clips`."""
        assert outputs.speaker_logits is not None
        self._adapted.add(outputs.probabilities, outputs.speaker_logits, clips)
        if outputs.speaker_embedding is not None:
            self._embedding_sum = self._embedding_sum + clips * outputs.speaker_embedding.astype(np.float64)
            self._embedding_clips += clips

    def adapt(self, outputs: ImageOutputs) -> Probabilities:
        """The probabilities (labels,) of a window, adapted to what is known."""
        assert outputs.speaker_logits is not None
        return self._adapted.adapt(outputs.probabilities, outputs.speaker_logits)

    def adapt_with(self, outputs: ImageOutputs, clips: float) -> Probabilities:
        """As `add` and then `adapt` would return; changes nothing."""
        assert outputs.speaker_logits is not None
        ahead = copy(self._adapted)
        ahead.add(outputs.probabilities, outputs.speaker_logits, clips)
        return ahead.adapt(outputs.probabilities, outputs.speaker_logits)

    def similarity(self, speaker_embedding: Floats) -> float:
        """The mean cosine of a speaker embedding with those of all windows that were added; -1 where there are none."""
        if not self._embedding_clips:
            return -1.0
        return float(self._embedding_sum @ speaker_embedding) / self._embedding_clips

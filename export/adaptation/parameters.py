"""The numbers of speaker adaptation, as a bundle holds them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from ser_images.data.common.errors import UserError

SPEAKER_DIM = 192
"""Size of a speaker embedding, of CAM++."""


@dataclass(frozen=True)
class Shrinkage:
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


@dataclass(frozen=True)
class SpeakerAdaptation:
    """What prediction needs to adapt a model to a speaker, besides the weights of its speaker head.

    Attributes:
        parts: sizes of the parts of an embedding; each has one linear classifier in the speaker head.
        bias: of these classifiers, shape (heads, labels); added to their logits once the speaker's mean is subtracted.
        temperature: divisor of the logarithm of the heads' mean probability; 1: not calibrated.
        shrinkage: how fast a speaker's mean is trusted.
        same_speaker: the least cosine of two speaker embeddings that are taken for one speaker's; None: the model has
            no speaker embeddings and cannot tell speakers apart.

    Raises:
        UserError: values that no model can have.
    """

    parts: tuple[int, ...]
    bias: tuple[tuple[float, ...], ...]
    temperature: float = 1.0
    shrinkage: Shrinkage = Shrinkage()
    same_speaker: float | None = None

    def __post_init__(self) -> None:
        sizes = {len(row) for row in self.bias}
        if not self.parts or len(self.parts) != len(self.bias) or len(sizes) != 1:
            raise UserError("adaptation: expected one row of biases for each part of the embedding")
        if any(isinstance(part, bool) or not isinstance(part, int) or part < 1 for part in self.parts):
            raise UserError(f"adaptation: parts are {list(self.parts)}, expected positive whole numbers")
        for name, lowest, value in self._numbers():
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value) or value < lowest:
                raise UserError(f"adaptation: {name} is {value!r}, expected a number of at least {lowest:g}")

    def _numbers(self) -> list[tuple[str, float, Any]]:
        numbers = [(name, 0.0, value) for name, value in asdict(self.shrinkage).items()]
        numbers += [("bias", float("-inf"), value) for row in self.bias for value in row]
        numbers += [("same_speaker", -1.0, self.same_speaker)] if self.same_speaker is not None else []
        return [*numbers, ("temperature", 1e-6, self.temperature)]

    @property
    def embedding_dim(self) -> int:
        """Size of an embedding."""
        return sum(self.parts)

    def to_dict(self) -> dict[str, Any]:
        """The value of `adaptation` in `bundle.json`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "SpeakerAdaptation":
        """What `to_dict` wrote; raises TypeError, KeyError or UserError where it is damaged."""
        return cls(
            tuple(content["parts"]), tuple(tuple(row) for row in content["bias"]), content["temperature"],
            Shrinkage(**content["shrinkage"]), content["same_speaker"],
        )  # fmt: skip

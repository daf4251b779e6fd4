"""The numbers of speaker adaptation, as a bundle holds them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from ser_images.data.common.errors import UserError

SPEAKER_DIM = 192
"""Size of a speaker embedding, of CAM++."""
MAX_DIM = 100_000
"""Of an embedding; those of the networks here have up to some ten thousand."""


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
    plain_clips: float = 5.0
    diversity_power: float = 2.0


@dataclass(frozen=True)
class SpeakerAdaptation:
    """What prediction needs to adapt a model to a speaker, besides the weights of its speaker head.

    Attributes:
        embedding_dim: size of an embedding.
        bias: of the speaker head, one for each label; added to its logits once the speaker's mean is subtracted.
        temperature: divisor of these logits before the softmax; 1: not calibrated.
        shrinkage: how fast a speaker's mean is trusted.
        same_speaker: the least mean cosine of a clip's speaker embedding with those of a speaker's clips, for the clip
            to be that speaker's; None: the model has no speaker embeddings and cannot tell speakers apart.

    Raises:
        UserError: values that no model can have.
    """

    embedding_dim: int
    bias: tuple[float, ...]
    temperature: float = 1.0
    shrinkage: Shrinkage = Shrinkage()
    same_speaker: float | None = None

    def __post_init__(self) -> None:
        if type(self.embedding_dim) is not int or not 1 <= self.embedding_dim <= MAX_DIM:
            raise UserError(f"adaptation: embedding_dim is {self.embedding_dim!r}, expected 1 to {MAX_DIM}")
        for name, lowest, value in self._numbers():
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value) or value < lowest:
                raise UserError(f"adaptation: {name} is {value!r}, expected a number of at least {lowest:g}")

    def _numbers(self) -> list[tuple[str, float, Any]]:
        numbers = [(name, 0.0, value) for name, value in asdict(self.shrinkage).items()]
        numbers += [("bias", float("-inf"), value) for value in self.bias]
        numbers += [("same_speaker", -1.0, self.same_speaker)] if self.same_speaker is not None else []
        return [*numbers, ("temperature", 1e-6, self.temperature)]

    def to_dict(self) -> dict[str, Any]:
        """The value of `adaptation` in `bundle.json`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "SpeakerAdaptation":
        """What `to_dict` wrote; raises TypeError, KeyError or UserError where it is damaged."""
        return cls(
            content["embedding_dim"], tuple(content["bias"]), content["temperature"],
            Shrinkage(**content["shrinkage"]), content["same_speaker"],
        )  # fmt: skip

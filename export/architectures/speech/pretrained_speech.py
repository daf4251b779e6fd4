"""PretrainedSpeech: what a network that was first trained on speech reads, and what is made of its frames."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log
from typing import Any, ClassVar

import torch
from fastai.learner import Learner
from fastai.vision.learner import default_split
from torch import nn

from ser_images.data.common.errors import UserError
from ser_images.export.bundle.bundle import Normalisation
from ser_images.spectrogram_gen.spec import ImageSpec

FBANK_SPEC = ImageSpec.of_feature("fbank")
"""What such networks were trained on, as pictures."""


@dataclass(frozen=True)
class PretrainedSpeech:
    """A body that knows voices and a head that tells emotions.

    Attributes:
        make: rows and labels to body and head, (n, 1, rows, frames) by whatever the body says to logits (n, labels).
        names: the first parts of its published weights' names, and what those layers are called here.
        published: which published weights those are, as `ser_images.train.training.pretrained` knows them.
        pretrained_tag: what its published weights were trained on, as `--weights` calls it.
        normalisation: grey to the natural logarithm of power, 0 being black: the unit that those weights know.
        keeper: whose its layers are: no pickle of them loads with plain fastai.
    """

    make: Callable[[int, int], tuple[nn.Module, nn.Module]]
    names: Mapping[str, str]
    published: tuple[str, ...]
    pretrained_tag: ClassVar[str | None] = "speech"
    normalisation: ClassVar[Normalisation | None] = Normalisation(0.0, 10 / (FBANK_SPEC.range_db * log(10)))
    keeper: ClassVar[str | None] = "ser-images' own"

    def network(self, n_labels: int, rows: int) -> nn.Module:
        """The network without any training: grey pictures (n, 1, rows, frames) to logits (n, n_labels)."""
        return nn.Sequential(*self.make(rows, n_labels))

    def learner(self, dls: Any, spec: ImageSpec, pretrained: bool, **kwargs: Any) -> Learner:
        """A fastai learner of it; the rest as `Learner` takes it.

        Raises:
            UserError: `pretrained`, and pictures of another kind than the weights know.
        """
        if pretrained and spec != FBANK_SPEC:
            raise UserError(
                "weights of voices know pictures of ser-images build --feature fbank, and these are others: "
                "build such, or use --weights none"
            )
        return Learner(dls, self.network(len(dls.vocab), spec.n_rows), splitter=default_split, **kwargs)


class ActivityMask(nn.Module):
    """Pictures (n, 1, rows, frames), black being 0, to two: the bands, lowest first, and where there is sound.

    The second, (n, 1, frames), is 1 in frames with anything above black, else 0.
    """

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        bands = pictures.squeeze(1).flip(1)
        return bands, (bands.amax(1, keepdim=True) > 0).to(bands.dtype)


def mean_normalise(bands: torch.Tensor, sounding: torch.Tensor) -> torch.Tensor:
    """Each band less its mean over the frames that sound, as Kaldi's `apply-cmvn` does it, and 0 in the others."""
    means = (bands * sounding).sum(2, keepdim=True) / sounding.sum(2, keepdim=True).clamp(min=1)
    return (bands - means) * sounding


class MaskedStatisticsPooling(nn.Module):
    """Mean, standard deviation and maximum over the frames that sound: (n, channels, frames) to (n, 3 x channels)."""

    def forward(self, values: torch.Tensor, sounding: torch.Tensor) -> torch.Tensor:
        frames = sounding.sum(2).clamp(min=2)
        mean = (values * sounding).sum(2) / frames
        variance = ((values - mean.unsqueeze(2)) ** 2 * sounding).sum(2) / (frames - 1)
        maximum = (values + (sounding - 1) * 1e4).amax(2)
        return torch.cat([mean, (variance + 1e-5).sqrt(), maximum], 1)

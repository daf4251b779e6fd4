"""PretrainedSpeech: a pretrained speech backbone and a new head; activity mask, mean normalisation and pooling."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log
from typing import Any, ClassVar

import torch
from fastai.learner import Learner
from fastai.vision.learner import default_split
from torch import nn

from ser_images.data.common.errors import UserError
from ser_images.export.architectures.speech.corpus_heads import CorpusHeads
from ser_images.export.bundle.bundle import Normalisation
from ser_images.spectrogram_gen.spec import ImageSpec

FBANK_SPEC = ImageSpec.of_feature("fbank")
"""The spec of the images that match the features of their pretraining."""


@dataclass(frozen=True)
class Block:
    """Part of an embedding.

    Attributes:
        plain: whether plain predictions use it; those that are adapted to a speaker use every block. The third block of
            CAM++ tells speakers apart: it helps once a speaker's mean is subtracted, and not before (LOG.md).
    """

    size: int
    plain: bool = True


@dataclass(frozen=True)
class PretrainedSpeech:
    """A backbone that was pretrained on speech, and a head for emotions; see `Architecture`.

    Attributes:
        make: builds backbone and head for a number of rows and of labels: (n, 1, rows, frames) to embeddings, and
            those to logits (n, labels).
        key_map: see `Architecture`.
        published: names of its pretrained weights in `ser_images.train.training.pretrained`.
        make_probed: builds the backbone with all layers that a linear probe uses, for a number of rows.
        blocks: of its embeddings, each from one part of a backbone.
        normalisation: grey values to the natural logarithm of power, black being 0: the unit of its pretraining.
    """

    make: Callable[[int, int], tuple[nn.Module, nn.Module]]
    key_map: Mapping[str, str]
    published: tuple[str, ...]
    make_probed: Callable[[int], nn.Module]
    blocks: tuple[Block, ...]
    pretrained_tag: ClassVar[str | None] = "speech"
    normalisation: ClassVar[Normalisation | None] = Normalisation(0.0, 10 / (FBANK_SPEC.range_db * log(10)))
    fastai_native: ClassVar[bool] = False

    def network(self, n_labels: int, rows: int) -> nn.Module:
        """The network with random weights: grey images (n, 1, rows, frames) to logits (n, n_labels)."""
        return nn.Sequential(*self.make(rows, n_labels))

    def probe(self, n_labels: int, rows: int, n_corpora: int = 0) -> nn.Sequential:
        """The network of a linear probe, with random weights: a backbone and one linear layer, or `CorpusHeads`."""
        dim = sum(block.size for block in self.blocks)
        head = CorpusHeads(dim, n_labels, n_corpora) if n_corpora else nn.Linear(dim, n_labels)
        return nn.Sequential(self.make_probed(rows), head)

    def learner(self, dls: Any, spec: ImageSpec, pretrained: bool, **kwargs: Any) -> Learner:
        """A fastai learner of it; `kwargs` as fastai's `Learner` has them.

        Raises:
            UserError: `pretrained`, and images of another spec than `FBANK_SPEC`.
        """
        if pretrained:
            require_fbank(spec)
        return Learner(dls, self.network(len(dls.vocab), spec.n_rows), splitter=default_split, **kwargs)


def require_fbank(spec: ImageSpec) -> None:
    """Raise UserError for images of another spec than `FBANK_SPEC`."""
    if spec != FBANK_SPEC:
        raise UserError(
            f"pretrained speech weights need images of spec {FBANK_SPEC.hash}, and these are of {spec.hash}: "
            "build them with ser-images build --feature fbank, or use --weights none"
        )


class ActivityMask(nn.Module):
    """Images (n, 1, rows, frames), black being 0, to bands (n, rows, frames), lowest first, and the activity mask.

    The mask, (n, 1, frames), is 1 in frames with any pixel above black, else 0.
    """

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        bands = images.squeeze(1).flip(1)
        return bands, (bands.amax(1, keepdim=True) > 0).to(bands.dtype)


def mean_normalise(bands: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Bands minus their mean over active frames, as Kaldi's `apply-cmvn` does; 0 in the other frames."""
    means = (bands * mask).sum(2, keepdim=True) / mask.sum(2, keepdim=True).clamp(min=1)
    return (bands - means) * mask


class MaskedStatisticsPooling(nn.Module):
    """Mean, standard deviation and maximum over active frames: (n, channels, frames) to (n, 3 x channels)."""

    def forward(self, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        frames = mask.sum(2).clamp(min=2)
        mean = (values * mask).sum(2) / frames
        variance = ((values - mean.unsqueeze(2)) ** 2 * mask).sum(2) / (frames - 1)
        maximum = (values + (mask - 1) * 1e4).amax(2)
        return torch.cat([mean, (variance + 1e-5).sqrt(), maximum], 1)

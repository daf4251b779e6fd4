"""Convolutions over time and frequency, then over time, and attentive statistics pooling; small enough to ship.

Thienpondt J, Desplanques B, Demuynck K (2021). Integrating Frequency Translational Invariance in TDNNs and Frequency
Positional Information in 2D ResNets to Enhance Speaker Verification. Interspeech (the first layers); Okabe K, Koshinaka
T, Shinoda K (2018). Attentive Statistics Pooling for Deep Speaker Embedding. Interspeech.
Input (batch, 1, rows, frames); output (batch, labels); 0.65 million weights for 80 rows, 2.6 MB. Made to be a student
of a pretrained speech network (`train/training/distillation`).
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from fastai.learner import Learner
from fastai.vision.learner import default_split
from torch import nn

from ser_images.spectrogram_gen.spec import ImageSpec

EMBEDDING_DIM = 256
_CHANNELS = (16, 48, 96, 112)
_STRIDES = ((2, 2), (2, 2), (2, 1), (2, 2))
"""Rows and frames; time keeps an eighth of its frames."""
_TDNN = 176
_ATTENTION = 64
_SMALLEST_VARIANCE = 1e-5


class CnnTdnn:
    """The network; see `Architecture`."""

    pretrained_tag: ClassVar[None] = None
    key_map: ClassVar[Mapping[str, str]] = {}
    normalisation: ClassVar[None] = None
    fastai_native: ClassVar[bool] = False

    def network(self, n_labels: int, rows: int) -> nn.Sequential:
        """The network with random weights: grey images (n, 1, rows, frames) to logits (n, n_labels)."""
        convolutions: list[nn.Module] = []
        n_in = 1
        for n_out, stride in zip(_CHANNELS, _STRIDES, strict=True):
            convolutions += _convolution(nn.Conv2d, n_in, n_out, 3 if convolutions else 5, stride)
            n_in, rows = n_out, (rows + 1) // 2
        over_time = [*_convolution(nn.Conv1d, n_in * rows, _TDNN), *_convolution(nn.Conv1d, _TDNN, _TDNN)]
        embedding = [nn.Linear(2 * _TDNN, EMBEDDING_DIM), nn.BatchNorm1d(EMBEDDING_DIM)]
        pooled = [nn.Flatten(1, 2), *over_time, AttentiveStatistics(_TDNN, _ATTENTION)]
        head = nn.Sequential(nn.Dropout(0.2), nn.Linear(EMBEDDING_DIM, n_labels))
        return nn.Sequential(nn.Sequential(*convolutions, *pooled, *embedding), head)

    def learner(self, dls: Any, spec: ImageSpec, pretrained: bool, **kwargs: Any) -> Learner:
        """A fastai learner of it; `kwargs` as fastai's `Learner` has them."""
        return Learner(dls, self.network(len(dls.vocab), spec.n_rows), splitter=default_split, **kwargs)


class AttentiveStatistics(nn.Module):
    """Mean and standard deviation over frames with learned weights: (n, channels, frames) to (n, 2 x channels)."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Conv1d(channels, hidden, 1), nn.Tanh(), nn.Conv1d(hidden, channels, 1))

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        weights = self.score(frames).softmax(2)
        mean = (weights * frames).sum(2)
        variance = (weights * frames**2).sum(2) - mean**2
        return torch.cat([mean, variance.clamp_min(_SMALLEST_VARIANCE).sqrt()], 1)


def _convolution(kind: Any, n_in: int, n_out: int, size: int = 3, stride: Any = 1) -> list[nn.Module]:
    norm = nn.BatchNorm2d if kind is nn.Conv2d else nn.BatchNorm1d
    return [kind(n_in, n_out, size, stride, size // 2, bias=False), norm(n_out), nn.ReLU(inplace=True)]


CNN_TDNN = CnnTdnn()

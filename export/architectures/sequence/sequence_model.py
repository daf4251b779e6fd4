"""SequenceModel: a network of this project that reads an image as features over time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from fastai.learner import Learner
from fastai.vision.learner import default_split
from torch import nn

from ser_images.spectrogram_gen.spec import ImageSpec


@dataclass(frozen=True)
class SequenceModel:
    """A network whose input channels are the rows of the image, and whose axis is time; see `Architecture`.

    Attributes:
        make: builds the layers for a number of rows and of labels: (n, rows, frames) to logits (n, labels).
    """

    make: Callable[[int, int], nn.Sequential]
    pretrained_tag: ClassVar[None] = None
    key_map: ClassVar[Mapping[str, str]] = {}
    normalisation: ClassVar[None] = None
    fastai_native: ClassVar[bool] = False

    def network(self, n_labels: int, rows: int) -> nn.Module:
        """The network with random weights: grey images (n, 1, rows, frames) to logits (n, n_labels).

        Its two parts are, as in fastai, the backbone and the last layer. The backbone starts with a batch norm over
        rows, so that rows of different ranges have equal weight.
        """
        *backbone, last = self.make(rows, n_labels)
        return nn.Sequential(nn.Sequential(nn.Flatten(1, 2), nn.BatchNorm1d(rows), *backbone), last)

    def learner(self, dls: Any, spec: ImageSpec, pretrained: bool, **kwargs: Any) -> Learner:
        """A fastai learner of it; `kwargs` as fastai's `Learner` has them."""
        return Learner(dls, self.network(len(dls.vocab), spec.n_rows), splitter=default_split, **kwargs)


class MeanAndMaximum(nn.Module):
    """Average and maximum over time, concatenated: (n, channels, frames) to (n, 2 x channels)."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return torch.cat([values.mean(2), values.amax(2)], 1)


class Recurrent(nn.Module):
    """LSTM layers over time: (n, channels, frames) to (n, frames, width), twice the width if `bidirectional`."""

    def __init__(self, n_in: int, width: int, layers: int, bidirectional: bool, dropout: float = 0.0) -> None:
        super().__init__()
        self.lstm = nn.LSTM(n_in, width, layers, batch_first=True, bidirectional=bidirectional, dropout=dropout)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.lstm(values.transpose(1, 2))[0]
        return outputs


def convolution(n_in: int, n_out: int, size: int, pool: int = 1, dropout: float = 0.0) -> nn.Sequential:
    """Conv1d over time, batch norm, ReLU; then max pooling if `pool` > 1, and dropout if `dropout` > 0."""
    layers: list[nn.Module] = [nn.Conv1d(n_in, n_out, size, padding=size // 2, bias=False), nn.BatchNorm1d(n_out)]
    layers.append(nn.ReLU(inplace=True))
    if pool > 1:
        layers.append(nn.MaxPool1d(pool))
    if dropout:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers)

"""SequenceModel: a network of this project's own that reads a picture as features over time."""

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
    """A network whose channels are the rows of the picture, and whose axis is time.

    Attributes:
        make: rows and labels to layers that take (n, rows, frames) to logits (n, labels).
        pretrained_tag: nobody has published weights of it.
        normalisation: None: grey is normalised by the training side's.
        keeper: whose its layers are: no pickle of them loads with plain fastai.
    """

    make: Callable[[int, int], nn.Sequential]
    pretrained_tag: ClassVar[None] = None
    names: ClassVar[Mapping[str, str]] = {}
    normalisation: ClassVar[None] = None
    keeper: ClassVar[str | None] = "ser-images' own"

    def network(self, n_labels: int, rows: int) -> nn.Module:
        """The network without any training: grey pictures (n, 1, rows, frames) to logits (n, n_labels).

        Its two parts are, as fastai's are, the body and the layer that knows the labels. A batch norm comes first, so
        that rows of different ranges weigh the same.
        """
        *body, last = self.make(rows, n_labels)
        return nn.Sequential(nn.Sequential(nn.Flatten(1, 2), nn.BatchNorm1d(rows), *body), last)

    def learner(self, dls: Any, spec: ImageSpec, pretrained: bool, **kwargs: Any) -> Learner:
        """A fastai learner of it; the rest as `Learner` takes it."""
        return Learner(dls, self.network(len(dls.vocab), spec.n_rows), splitter=default_split, **kwargs)


class MeanAndMaximum(nn.Module):
    """Average and maximum over time side by side: (n, channels, frames) to (n, 2 x channels)."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return torch.cat([values.mean(2), values.amax(2)], 1)


class Recurrent(nn.Module):
    """LSTM layers over time: (n, channels, frames) to (n, frames, width), or twice the width in both directions."""

    def __init__(self, n_in: int, width: int, layers: int, bidirectional: bool, dropout: float = 0.0) -> None:
        super().__init__()
        self.lstm = nn.LSTM(n_in, width, layers, batch_first=True, bidirectional=bidirectional, dropout=dropout)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        said: torch.Tensor = self.lstm(values.transpose(1, 2))[0]
        return said


def convolution(n_in: int, n_out: int, size: int, pool: int = 1, dropout: float = 0.0) -> nn.Sequential:
    """Conv1d over time, batch norm, ReLU; then a maximum over `pool` frames and dropout, where asked for."""
    layers: list[nn.Module] = [nn.Conv1d(n_in, n_out, size, padding=size // 2, bias=False), nn.BatchNorm1d(n_out)]
    layers.append(nn.ReLU(inplace=True))
    if pool > 1:
        layers.append(nn.MaxPool1d(pool))
    if dropout:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers)

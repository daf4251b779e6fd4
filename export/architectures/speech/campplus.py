"""CAM++, a speaker verification network, up to its second block with a head for emotions, or to its third for a probe.

Wang H, Zheng S, Chen Y, Cheng L, Chen Q (2023). CAM++: A Fast and Efficient Network for Speaker Verification Using
Context-Aware Masking. Interspeech. Layers have the names of the published weights.
Input (batch, 1, 80, frames), images of the feature `fbank`; output (batch, labels). Convolutions over bands and time
halve the bands three times, a time-delay layer halves the frames; two densely connected blocks with context-aware
masking follow. The third block separates speakers rather than emotions (LOG.md): heads do without it, and of a linear
probe only the speaker head has it. 6.17 million weights for 8 labels as a linear probe, 4.07 million with heads.
"""

from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import nn

from ser_images.export.adaptation.parameters import SPEAKER_DIM
from ser_images.export.architectures.speech.pretrained_speech import (
    ActivityMask,
    Block,
    MaskedStatisticsPooling,
    PretrainedSpeech,
    mean_normalise,
)

GROWTH = 32
"""Channels that each densely connected layer adds."""
SAME_SPEAKER = 0.37
"""The least mean cosine of a speaker embedding with those of a speaker's clips, to be of that speaker. Of RAVDESS clips
of 3 s, 10 % (one clip known), 5 % (three) and 3 % (ten) are wrong either way (LOG.md, 2026-11-25).
"""
SEGMENT = 100
"""Frames in a segment, whose mean is the local context of its frames."""


class Residual(nn.Module):
    """Two 3 x 3 convolutions and a shortcut: (n, channels, bands, frames), bands divided by `stride`."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, (stride, 1), padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        projection = (nn.Conv2d(channels, channels, 1, (stride, 1), bias=False), nn.BatchNorm2d(channels))
        self.shortcut = nn.Sequential(*projection) if stride > 1 else nn.Sequential()

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        path = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(values)))))
        return torch.relu(path + self.shortcut(values))


class Bands(nn.Module):
    """Convolutions over bands and time: (n, rows, frames) to (n, 32 x rows / 8, frames)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, GROWTH, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(GROWTH)
        self.layer1 = nn.Sequential(Residual(GROWTH, 2), Residual(GROWTH, 1))
        self.layer2 = nn.Sequential(Residual(GROWTH, 2), Residual(GROWTH, 1))
        self.conv2 = nn.Conv2d(GROWTH, GROWTH, 3, (2, 1), padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(GROWTH)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        values = torch.relu(self.bn1(self.conv1(values.unsqueeze(1))))
        values = self.layer2(self.layer1(values))
        return torch.relu(self.bn2(self.conv2(values))).flatten(1, 2)


def bn_relu(channels: int) -> nn.Sequential:
    """Batch norm and ReLU."""
    return nn.Sequential(OrderedDict(batchnorm=nn.BatchNorm1d(channels), relu=nn.ReLU()))


class ContextMask(nn.Module):
    """Context-aware masking: a convolution over time whose channels are weighted by the means of all frames and of the
    frame's segment; (n, channels, frames) to (n, `GROWTH`, frames).
    """

    def __init__(self, n_in: int, dilation: int) -> None:
        super().__init__()
        self.linear_local = nn.Conv1d(n_in, GROWTH, 3, padding=dilation, dilation=dilation, bias=False)
        self.linear1 = nn.Conv1d(n_in, n_in // 2, 1)
        self.linear2 = nn.Conv1d(n_in // 2, GROWTH, 1)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        segment = nn.functional.avg_pool1d(values, SEGMENT, SEGMENT, ceil_mode=True)
        segment = segment.repeat_interleave(SEGMENT, 2)[..., : values.shape[2]]
        context = torch.relu(self.linear1(values.mean(2, keepdim=True) + segment))
        masked: torch.Tensor = self.linear_local(values) * torch.sigmoid(self.linear2(context))
        return masked


class Dense(nn.Module):
    """A densely connected layer: (n, channels, frames) to (n, channels + `GROWTH`, frames)."""

    def __init__(self, n_in: int, dilation: int) -> None:
        super().__init__()
        self.nonlinear1 = bn_relu(n_in)
        self.linear1 = nn.Conv1d(n_in, 4 * GROWTH, 1, bias=False)
        self.nonlinear2 = bn_relu(4 * GROWTH)
        self.cam_layer = ContextMask(4 * GROWTH, dilation)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        added = self.cam_layer(self.nonlinear2(self.linear1(self.nonlinear1(values))))
        return torch.cat([values, added], 1)


def block(n_in: int, layers: int, dilation: int) -> nn.Sequential:
    """Densely connected layers."""
    named = ((f"tdnnd{index + 1}", Dense(n_in + index * GROWTH, dilation)) for index in range(layers))
    return nn.Sequential(OrderedDict(named))


def _transit(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(OrderedDict(nonlinear=bn_relu(n_in), linear=nn.Conv1d(n_in, n_out, 1, bias=False)))


class CampplusBackbone(nn.Module):
    """Images (n, 1, rows, frames) to embeddings: pooled statistics of the second block, (n, `EMBEDDING_DIM`).

    Args:
        third_block: add those of the third block: (n, 2 x `EMBEDDING_DIM`).
    """

    EMBEDDING_DIM = 3 * 1024

    def __init__(self, rows: int, third_block: bool = False) -> None:
        super().__init__()
        self.activity = ActivityMask()
        self.head = Bands()
        time_delay = nn.Conv1d(4 * rows, 128, 5, 2, padding=2, bias=False)
        self.xvector = nn.Sequential(OrderedDict([
            ("tdnn", nn.Sequential(OrderedDict(linear=time_delay, nonlinear=bn_relu(128)))),
            ("block1", block(128, 12, dilation=1)),
            ("transit1", _transit(512, 256)),
            ("block2", block(256, 24, dilation=2)),
        ]))  # fmt: skip
        self.third = _third_block() if third_block else None
        self.statistics = MaskedStatisticsPooling()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.with_frames(images)[0]

    def with_frames(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The embeddings, with the frames (n, 1024, frames / 2) of the last block and the mask (n, 1, frames / 2)."""
        bands, mask = self.activity(images)
        frames, mask = self.xvector(self.head(mean_normalise(bands, mask))), mask[..., ::2]
        embeddings: torch.Tensor = self.statistics(frames, mask)
        if self.third is not None:
            frames = self.third(frames)
            embeddings = torch.cat([embeddings, self.statistics(frames, mask)], 1)
        return embeddings, frames, mask


def _third_block() -> nn.Sequential:
    return nn.Sequential(OrderedDict(transit2=_transit(1024, 512), block3=block(512, 16, dilation=2)))


class SpeakerEmbedding(nn.Module):
    """The rest of CAM++, from the frames of the third block to speaker embeddings (n, 192) of length 1.

    Two clips whose embeddings have a high cosine are of one speaker. Layers have the names of the published weights.
    """

    def __init__(self) -> None:
        super().__init__()
        self.xvector = nn.Sequential(OrderedDict(transit3=_transit(1024, 512), out_nonlinear=bn_relu(512)))
        self.statistics = MaskedStatisticsPooling()
        self.dense = nn.Conv1d(1024, SPEAKER_DIM, 1, bias=False)
        self.batchnorm = nn.BatchNorm1d(SPEAKER_DIM, affine=False)

    def load_published(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Copy the weights of a published CAM++, whose names these are; others in it are left out."""
        names = {"dense": "xvector.dense.linear", "batchnorm": "xvector.dense.nonlinear.batchnorm"}
        state = {}
        for name in self.state_dict():
            layer, _, rest = name.partition(".")
            state[name] = weights[f"{names[layer]}.{rest}" if layer in names else name]
        self.load_state_dict(state)

    def forward(self, frames: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        mean, deviation, _ = self.statistics(self.xvector(frames), mask).chunk(3, 1)
        embeddings = self.batchnorm(self.dense(torch.cat([mean, deviation], 1).unsqueeze(2)).squeeze(2))
        return nn.functional.normalize(embeddings)


def dense_head(n_in: int, labels: int) -> nn.Sequential:
    """(n, n_in) to logits (n, labels), with one hidden layer of 128."""
    return nn.Sequential(
        nn.BatchNorm1d(n_in), nn.Dropout(0.5), nn.Linear(n_in, 128, bias=False), nn.BatchNorm1d(128), nn.ReLU(),
        nn.Dropout(0.5), nn.Linear(128, labels),
    )  # fmt: skip


def campplus(rows: int, labels: int) -> tuple[nn.Module, nn.Module]:
    """Backbone and head for images with this number of rows, a multiple of eight."""
    return CampplusBackbone(rows), dense_head(CampplusBackbone.EMBEDDING_DIM, labels)


def probed_campplus(rows: int) -> nn.Module:
    """The backbone for a linear probe, up to its third block."""
    return CampplusBackbone(rows, third_block=True)


CAMPPLUS = PretrainedSpeech(
    campplus,
    {
        "head": "0.head",
        "xvector.transit2": "0.third.transit2",
        "xvector.block3": "0.third.block3",
        "xvector": "0.xvector",
    },
    ("campplus",),
    probed_campplus,
    (Block(CampplusBackbone.EMBEDDING_DIM), Block(CampplusBackbone.EMBEDDING_DIM, plain=False)),
)

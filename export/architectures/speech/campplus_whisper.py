"""CAM++ and Whisper's encoder as two parallel backbones, for a linear probe or an ensemble of three heads on each.

Heads differ in their embeddings, initial weights and dropout, and so in their errors: the mean of their probabilities
is more often correct than any single head, and less confident where it is wrong (LOG.md).
Lakshminarayanan B, Pritzel A, Blundell C (2017). Simple and Scalable Predictive Uncertainty Estimation using Deep
Ensembles. NeurIPS.
Input (batch, 1, 80, frames), images of the feature `fbank`; output (batch, labels);
12.1 million weights for 8 labels as a linear probe, 12.5 million with heads.
"""

from collections.abc import Sequence
from math import log

import torch
from torch import nn

from ser_images.export.architectures.speech.campplus import CampplusBackbone, dense_head
from ser_images.export.architectures.speech.pretrained_speech import Block, PretrainedSpeech
from ser_images.export.architectures.speech.whisper import WhisperBackbone

HEADS_EACH = 3


class DualBackbone(nn.Module):
    """The embeddings of both backbones, concatenated: (n, 3072 + 4608), with the third block (n, 2 x 3072 + 4608)."""

    def __init__(self, rows: int, third_block: bool = False) -> None:
        super().__init__()
        self.campplus = CampplusBackbone(rows, third_block)
        self.whisper = WhisperBackbone(rows)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.with_frames(images)[0]

    def with_frames(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The embeddings, and the frames and mask of the last block of CAM++."""
        embeddings, frames, mask = self.campplus.with_frames(images)
        return torch.cat([embeddings, self.whisper(images)], 1), frames, mask


class HeadEnsemble(nn.Module):
    """Heads that are trained independently and averaged in evaluation mode.

    In training mode the output is the logits of each head, (n, heads, labels); in evaluation mode the logarithm of
    their mean probability, (n, labels).

    Args:
        parts: sizes of the embeddings that are concatenated in the input; each has `HEADS_EACH` heads.
    """

    def __init__(self, parts: Sequence[int], labels: int) -> None:
        super().__init__()
        self.parts = list(parts)
        self.heads = nn.ModuleList(dense_head(part, labels) for part in self.parts for _ in range(HEADS_EACH))

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        inputs = [part for part in torch.split(embeddings, self.parts, 1) for _ in range(HEADS_EACH)]
        logits = torch.stack([head(part) for head, part in zip(self.heads, inputs, strict=True)], 1)
        if self.training:
            return logits
        return logits.log_softmax(2).logsumexp(1) - log(len(self.heads))


def campplus_whisper(rows: int, labels: int) -> tuple[nn.Module, nn.Module]:
    """Backbones and heads for images with this number of rows, a multiple of eight."""
    return DualBackbone(rows), HeadEnsemble((CampplusBackbone.EMBEDDING_DIM, WhisperBackbone.EMBEDDING_DIM), labels)


def probed_campplus_whisper(rows: int) -> nn.Module:
    """The backbones for a linear probe, CAM++ up to its third block."""
    return DualBackbone(rows, third_block=True)


CAMPPLUS_WHISPER = PretrainedSpeech(
    campplus_whisper,
    {
        "head": "0.campplus.head",
        "xvector.transit2": "0.campplus.third.transit2",
        "xvector.block3": "0.campplus.third.block3",
        "xvector": "0.campplus.xvector",
        "whisper": "0.whisper",
    },
    ("campplus", "whisper"),
    probed_campplus_whisper,
    (
        Block(CampplusBackbone.EMBEDDING_DIM),
        Block(CampplusBackbone.EMBEDDING_DIM, plain=False),
        Block(WhisperBackbone.EMBEDDING_DIM),
    ),
)

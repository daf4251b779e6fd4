"""CAM++ and Whisper side by side: one knows voices, the other speech; three heads listen to each.

What a head is told differs, and so do its draws, so that their mistakes do: the mean of their probabilities is more
often right than any of them, and less sure of itself where it is wrong (LOG.md). Lakshminarayanan B, Pritzel A,
Blundell C (2017). Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles. NeurIPS.
Input (batch, 1, 80, frames), pictures of the feature `fbank`; output (batch, labels);
12.5 million weights for 8 labels.
"""

from collections.abc import Sequence
from math import log

import torch
from torch import nn

from ser_images.export.architectures.speech.campplus import CampplusBackbone, dense_head
from ser_images.export.architectures.speech.pretrained_speech import PretrainedSpeech
from ser_images.export.architectures.speech.whisper import WhisperBackbone

HEADS_EACH = 3


class DualBackbone(nn.Module):
    """What both bodies say, one after the other: (n, 3072 + 4608)."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.campplus = CampplusBackbone(rows)
        self.whisper = WhisperBackbone(rows)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.campplus(pictures), self.whisper(pictures)], 1)


class HeadEnsemble(nn.Module):
    """HeadEnsemble that learn each for itself, and answer together.

    While they learn, logits of each, (n, heads, labels); later the logarithm of their mean probability, (n, labels).

    Args:
        parts: how many of the values each part of the input has; every part has `HEADS_EACH` heads.
    """

    def __init__(self, parts: Sequence[int], labels: int) -> None:
        super().__init__()
        self.parts = list(parts)
        self.heads = nn.ModuleList(dense_head(part, labels) for part in self.parts for _ in range(HEADS_EACH))

    def forward(self, said: torch.Tensor) -> torch.Tensor:
        told = [part for part in torch.split(said, self.parts, 1) for _ in range(HEADS_EACH)]
        logits = torch.stack([head(part) for head, part in zip(self.heads, told, strict=True)], 1)
        if self.training:
            return logits
        return logits.log_softmax(2).logsumexp(1) - log(len(self.heads))


def campplus_whisper(rows: int, labels: int) -> tuple[nn.Module, nn.Module]:
    """Body and heads, for pictures of so many rows (a multiple of eight)."""
    return DualBackbone(rows), HeadEnsemble((CampplusBackbone.EMBEDDING_DIM, WhisperBackbone.EMBEDDING_DIM), labels)


CAMPPLUS_WHISPER = PretrainedSpeech(
    campplus_whisper,
    {"head": "0.campplus.head", "xvector": "0.campplus.xvector", "whisper": "0.whisper"},
    ("campplus", "whisper"),
)

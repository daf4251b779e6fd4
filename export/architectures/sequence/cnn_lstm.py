"""Convolutions over time, then an LSTM; its mean over time is classified (recipe C).

Input (batch, 1, rows, frames); output (batch, labels). Pooling leaves a quarter of the frames to the LSTM;
0.19 million weights for 40 rows and 8 labels. With the last state instead, which follows the silence at the end,
training was far slower (LOG.md, 2026-11-21).
"""

import torch
from torch import nn

from ser_images.export.architectures.sequence.sequence_model import Recurrent, SequenceModel, convolution


class MeanOverTime(nn.Module):
    """(n, frames, channels) to (n, channels)."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values.mean(1)


def cnn_lstm(rows: int, labels: int) -> nn.Sequential:
    """(n, rows, frames) to logits (n, labels)."""
    first, second = convolution(rows, 64, 5, 2, dropout=0.2), convolution(64, 128, 5, 2, dropout=0.2)
    recurrent = Recurrent(128, 128, layers=1, bidirectional=False)
    return nn.Sequential(first, second, recurrent, MeanOverTime(), nn.Dropout(0.3), nn.Linear(128, labels))


CNN_LSTM = SequenceModel(cnn_lstm)

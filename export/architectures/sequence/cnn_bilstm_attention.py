"""Convolutions over time, a bidirectional LSTM, attention pooling over its frames (recipe D).

Mirsamadi S, Barsoum E, Zhang C (2017). Automatic Speech Emotion Recognition Using Recurrent Neural Networks with Local
Attention. ICASSP. Input (batch, 1, rows, frames); output (batch, labels). Pooling leaves a quarter of the frames to the
LSTM; 0.43 million weights for 128 rows and 8 labels.
"""

import torch
from torch import nn

from ser_images.export.architectures.sequence.sequence_model import Recurrent, SequenceModel, convolution


class Attention(nn.Module):
    """Mean over frames with learned weights: (n, frames, channels) to (n, channels)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Linear(channels, 1, bias=False)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return (torch.softmax(self.score(values), 1) * values).sum(1)


def cnn_bilstm_attention(rows: int, labels: int) -> nn.Sequential:
    """(n, rows, frames) to logits (n, labels)."""
    first, second = convolution(rows, 128, 5, 2, dropout=0.2), convolution(128, 128, 5, 2, dropout=0.2)
    recurrent = Recurrent(128, 128, layers=1, bidirectional=True)
    return nn.Sequential(first, second, recurrent, Attention(256), nn.Dropout(0.3), nn.Linear(256, labels))


CNN_BILSTM_ATTENTION = SequenceModel(cnn_bilstm_attention)

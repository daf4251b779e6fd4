"""Convolutions over time, a bidirectional LSTM, a dense layer (recipe B).

Input (batch, 1, rows, frames); output (batch, labels). Pooling leaves a quarter of the frames to the LSTM; the
final states of both directions are classified; 0.34 million weights for 40 rows and 8 labels.
"""

import torch
from torch import nn

from ser_images.export.architectures.sequence.sequence_model import Recurrent, SequenceModel, convolution


class FinalStates(nn.Module):
    """The final state of each direction: (n, frames, 2 x width) to (n, 2 x width)."""

    def forward(self, outputs: torch.Tensor) -> torch.Tensor:
        forwards, backwards = outputs.chunk(2, dim=2)
        return torch.cat([forwards[:, -1], backwards[:, 0]], 1)


def cnn_bilstm(rows: int, labels: int) -> nn.Sequential:
    """(n, rows, frames) to logits (n, labels)."""
    first, second = convolution(rows, 64, 5, 2, dropout=0.2), convolution(64, 128, 5, 2, dropout=0.2)
    recurrent = Recurrent(128, 128, layers=1, bidirectional=True)
    dense = [nn.Dropout(0.3), nn.Linear(256, 64), nn.ReLU(inplace=True), nn.Dropout(0.3), nn.Linear(64, labels)]
    return nn.Sequential(first, second, recurrent, FinalStates(), *dense)


CNN_BILSTM = SequenceModel(cnn_bilstm)

"""Two layers of bidirectional LSTM over time, with mean and maximum pooling (recipe C).

Graves A, Schmidhuber J (2005). Framewise Phoneme Classification with Bidirectional LSTM. Neural Networks 18.
Input (batch, 1, rows, frames); output (batch, labels); 0.16 million weights for 40 rows and 8 labels.
"""

import torch
from torch import nn

from ser_images.export.architectures.sequence.sequence_model import MeanAndMaximum, Recurrent, SequenceModel


class ChannelsFirst(nn.Module):
    """(n, frames, channels) to (n, channels, frames)."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values.transpose(1, 2)


def bilstm(rows: int, labels: int) -> nn.Sequential:
    """(n, rows, frames) to logits (n, labels)."""
    recurrent = Recurrent(rows, 64, layers=2, bidirectional=True, dropout=0.3)
    return nn.Sequential(recurrent, ChannelsFirst(), MeanAndMaximum(), nn.Dropout(0.3), nn.Linear(256, labels))


BILSTM = SequenceModel(bilstm)

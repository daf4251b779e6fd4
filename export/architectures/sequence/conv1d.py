"""Convolutions over the statistics of the rows, 256-256-128-64, and a dense layer of 32 (recipe E).

Input (batch, 1, rows, frames); output (batch, labels). The convolutions run over the rows, not over time: their
channels are the 13 statistics of each row over time. 0.57 million weights for 162 rows and 8 labels.
"""

from torch import nn

from ser_images.export.architectures.sequence.sequence_model import SequenceModel, convolution
from ser_images.export.architectures.sequence.statistics import N_STATISTICS, Statistics

WIDTHS = (256, 256, 128, 64)


def conv1d(rows: int, labels: int) -> nn.Sequential:
    """(n, rows, frames) to logits (n, labels)."""
    entering = (N_STATISTICS, *WIDTHS[:-1])
    blocks = [convolution(n_in, n_out, 5, 2, dropout=0.2) for n_in, n_out in zip(entering, WIDTHS, strict=True)]
    left = rows // 2 ** len(WIDTHS)
    dense = [nn.Flatten(), nn.Linear(WIDTHS[-1] * left, 32), nn.ReLU(inplace=True), nn.Dropout(0.3)]
    return nn.Sequential(Statistics(), nn.BatchNorm1d(N_STATISTICS), *blocks, *dense, nn.Linear(32, labels))


CONV1D = SequenceModel(conv1d)

"""Two hidden layers on the statistics of the rows over time (recipe C).

Input (batch, 1, rows, frames); output (batch, labels); 13 statistics a row, 0.17 million weights for 40 rows and 8
labels.
"""

from torch import nn

from ser_images.export.architectures.sequence.sequence_model import SequenceModel
from ser_images.export.architectures.sequence.statistics import N_STATISTICS, Statistics


def mlp(rows: int, labels: int) -> nn.Sequential:
    """(n, rows, frames) to logits (n, labels)."""
    n_in = rows * N_STATISTICS
    hidden = [nn.Linear(n_in, 256), nn.BatchNorm1d(256), nn.ReLU(inplace=True), nn.Dropout(0.4)]
    second = [nn.Linear(256, 128), nn.BatchNorm1d(128), nn.ReLU(inplace=True), nn.Dropout(0.4)]
    return nn.Sequential(Statistics(), nn.Flatten(), nn.BatchNorm1d(n_in), *hidden, *second, nn.Linear(128, labels))


MLP = SequenceModel(mlp)

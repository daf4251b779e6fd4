"""Residual convolutions over time, with average and maximum pooling (the 1-D network of recipe C).

Residual blocks as in He K, Zhang X, Ren S, Sun J (2016). Deep Residual Learning for Image Recognition. CVPR.
Input (batch, 1, rows, frames); output (batch, labels). Frames are halved twice, channels are 128, 128 and 256;
0.90 million weights for 40 rows and 8 labels.
"""

import torch
from torch import nn

from ser_images.export.architectures.sequence.sequence_model import MeanAndMaximum, SequenceModel, convolution


class Residual(nn.Module):
    """Two convolutions and a shortcut: (n, n_in, frames) to (n, n_out, frames / stride)."""

    def __init__(self, n_in: int, n_out: int, stride: int = 1) -> None:
        super().__init__()
        self.path = nn.Sequential(
            nn.Conv1d(n_in, n_out, 5, stride, padding=2, bias=False), nn.BatchNorm1d(n_out), nn.ReLU(inplace=True),
            nn.Dropout(0.1), nn.Conv1d(n_out, n_out, 5, padding=2, bias=False), nn.BatchNorm1d(n_out),
        )  # fmt: skip
        same = n_in == n_out and stride == 1
        shortcut = nn.Sequential(nn.Conv1d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm1d(n_out))
        self.shortcut = nn.Identity() if same else shortcut

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.path(values) + self.shortcut(values))


def cnn1d(rows: int, labels: int) -> nn.Sequential:
    """(n, rows, frames) to logits (n, labels)."""
    blocks = [Residual(128, 128), Residual(128, 128, stride=2), Residual(128, 256, stride=2)]
    return nn.Sequential(convolution(rows, 128, 5), *blocks, MeanAndMaximum(), nn.Dropout(0.3), nn.Linear(512, labels))


CNN1D = SequenceModel(cnn1d)

"""Linear classifiers on the parts of an embedding, averaged: the head of a linear probe, and of speaker adaptation."""

from collections.abc import Sequence
from math import log

import torch
from torch import nn


class LinearHeads(nn.Module):
    """One linear classifier for each part of an embedding: (n, dim) to logits (n, heads, labels).

    Args:
        parts: sizes of the parts, in order; their sum is `dim`.
    """

    def __init__(self, parts: Sequence[int], labels: int, bias: bool = True) -> None:
        super().__init__()
        self.parts = list(parts)
        self.heads = nn.ModuleList(nn.Linear(part, labels, bias) for part in self.parts)

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        inputs = torch.split(embeddings, self.parts, 1)
        return torch.stack([head(part) for head, part in zip(self.heads, inputs, strict=True)], 1)


class AveragedLinearHeads(LinearHeads):
    """The logarithm of the heads' mean probability: (n, dim) to (n, labels)."""

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        return log_mean_probability(super().forward(embeddings))


def log_mean_probability(logits: torch.Tensor) -> torch.Tensor:
    """Logarithm of the mean of the heads' probabilities: (n, heads, labels) to (n, labels)."""
    return logits.log_softmax(2).logsumexp(1) - log(logits.shape[1])

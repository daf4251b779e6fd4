"""CorpusHeads: a linear layer for each corpus, mixed by the corpus that a clip sounds like."""

import torch
from torch import nn


class CorpusHeads(nn.Module):
    """Embeddings (n, dim) to log probabilities (n, labels) of a mixture of experts (Jacobs et al. 1991).

    One linear layer tells the corpora apart; its probabilities weight those of the layers of each corpus.

    Jacobs RA, Jordan MI, Nowlan SJ, Hinton GE (1991). Adaptive Mixtures of Local Experts. Neural Computation 3(1).
    """

    def __init__(self, dim: int, labels: int, corpora: int) -> None:
        super().__init__()
        self.heads = nn.Linear(dim, corpora * labels)
        self.corpus = nn.Linear(dim, corpora)

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        by_corpus = self.heads(embeddings).unflatten(1, (self.corpus.out_features, -1)).log_softmax(2)
        weights = self.corpus(embeddings).log_softmax(1)
        return torch.logsumexp(by_corpus + weights.unsqueeze(2), 1)

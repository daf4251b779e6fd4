"""Corpus heads: a linear layer for each corpus of a joint training, and one that tells the corpora apart.

corpora = corpora_with_heads(config, image_set)
head = fit_head(embedded, whitened, n_labels, c=10, corpora)

One layer for two corpora gives up what is particular to each; a layer for each from its own clips alone learns nothing
from the other. So a corpus's layer is fitted to all clips, and those of the other corpora together count as few: they
decide where it has few of its own (Daumé III H (2007). Frustratingly Easy Domain Adaptation. ACL, weighs them in one of
its comparisons).
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ser_images.export.architectures.speech.corpus_heads import CorpusHeads
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.evaluation.adaptation import Indices
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.embedded import Embedded
from ser_images.train.training.linear_layer import Whitened, fit_layer

OTHERS = 10.0
"""All clips of other corpora together count as so many in a corpus's layer; chosen on training speakers (LOG.md,
2026-11-28)."""


def corpora_with_heads(config: TrainConfig, image_set: ImageSet) -> tuple[str, ...]:
    """The corpora that a resolved config gives a layer each; none: there is one layer for all."""
    return image_set.corpora if config.corpus_heads else ()


def fit_head(
    clips: Embedded, blocks: Sequence[Whitened], n_labels: int, c: float, corpora: Sequence[str] = ()
) -> nn.Module:
    """The head of a linear probe: (n, dim) to logits (n, labels).

    Args:
        blocks: of the clips' embeddings.
        c: inverse strength of the regularisation.
        corpora: those that get a layer each; none: one layer for all.
    """
    if not corpora:
        return fit_layer(blocks, clips.targets, n_labels, c, clips.weights)
    numbers = clips.corpus_numbers(corpora)
    layers = fit_layers(blocks, clips.targets, numbers, corpora, n_labels, c, clips.weights)
    corpus = fit_layer(blocks, numbers, len(corpora), c)
    head = CorpusHeads(corpus.in_features, n_labels, len(corpora))
    with torch.no_grad():
        head.heads.weight.copy_(torch.cat([layer.weight for layer in layers]))
        head.heads.bias.copy_(torch.cat([layer.bias for layer in layers]))
    head.corpus.load_state_dict(corpus.state_dict())
    return head.eval()


def fit_layers(
    blocks: Sequence[Whitened],
    targets: Indices,
    numbers: Indices,
    corpora: Sequence[str],
    n_labels: int,
    c: float,
    weights_of_clips: NDArray[np.float64] | None = None,
) -> list[nn.Linear]:
    """A layer for each of the corpora, whose `numbers` the clips have; other arguments are as of `fit_layer`."""
    every = np.ones(len(targets)) if weights_of_clips is None else weights_of_clips.copy()
    for number in np.unique(numbers):  # between corpora, OTHERS is the balance
        every[numbers == number] /= every[numbers == number].mean()
    layers = []
    for number in range(len(corpora)):
        others = every * (numbers != number)
        weights = every * (numbers == number) + others * OTHERS / max(OTHERS, others.sum())
        layers.append(fit_layer(blocks, targets, n_labels, c, weights / weights.mean()))
    return layers

"""A linear layer fitted at once: logistic regression on whitened blocks of embeddings, for probes and speaker heads.

whitened = whiten(embedded.values, blocks, groups=embedded.targets)
layer = fit_layer(whitened, embedded.targets, n_labels, c=10)

Within-class covariance normalisation (Hatch AO, Kajarekar S, Stolcke A (2006). Within-Class Covariance Normalization
for SVM-based Speaker Recognition. Interspeech): directions in which clips of one label differ much are scaled down
before the regression, so that it need not spend its weights on them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits
from torch import nn

from ser_images.export.architectures.speech.pretrained_speech import Block
from ser_images.train.evaluation.adaptation import Indices
from ser_images.train.training.embedded import Floats

CS = (3.0, 10.0, 30.0)
"""Inverse strengths of the regularisation to choose from, as scikit-learn's `LogisticRegression` has them."""
INNER_FOLDS = 5
_MAX_ITERATIONS = 300
MAX_DIRECTIONS = 1000
"""So many directions of the most variance of a block are kept."""
_FLOOR = 0.03
"""Added to each variance within groups, as a fraction of the largest: the covariance of few clips is uncertain."""
NO_CLIP = -20.0
"""The bias of a label without a clip."""
_BLAS = "blas"
"""Limited to one thread: these matrices are small, and two threads that wait for each other take 4 times as long on an
idle machine and 40 times beside another process (LOG.md, 2026-11-28)."""
Fold = tuple[Indices, Indices]
"""Indices of the clips that a layer is fitted to, and of those that are held out."""


@dataclass(frozen=True)
class Whitened:
    """One block of embeddings in coordinates in which the variance within groups is about equal in all directions.

    Attributes:
        coordinates: of the embeddings, shape (clips, directions).
        projection: (directions, size): an embedding x has the coordinates `projection @ (x - mean)`.
        mean: of the embeddings, shape (size,).
    """

    coordinates: Floats
    projection: Floats
    mean: Floats

    @classmethod
    def of(cls, values: Floats, groups: Indices) -> "Whitened":
        """A block of embeddings (clips, size), and the group of each clip."""
        mean, scale = values.mean(0), (values.std(0) + 1e-6) * np.sqrt(values.shape[1], dtype=np.float32)
        standardised = (values - mean) / scale
        kept = max(1, min(MAX_DIRECTIONS, len(values) - 1, values.shape[1]))
        basis = PCA(kept, random_state=0).fit(standardised).components_.T
        variances, directions = np.linalg.eigh(_covariance_within(standardised @ basis, groups))
        floor = _FLOOR * variances[-1] if variances[-1] > 0 else 1.0  # 0: each clip is a group of its own
        to = basis @ (directions / np.sqrt(np.maximum(variances, 0) + floor))
        coordinates = standardised @ to
        norm = np.sqrt((coordinates**2).sum(1).mean()) or 1.0  # so that C means the same for any block
        return cls((coordinates / norm).astype(np.float32), (to / norm / scale[:, None]).T.astype(np.float32), mean)

    def __call__(self, values: Floats) -> Floats:
        """The coordinates of other embeddings (n, size)."""
        return (values - self.mean) @ self.projection.T

    @classmethod
    def unused(cls, values: Floats) -> "Whitened":
        """A block without directions."""
        return cls(values[:, :0], np.zeros((0, values.shape[1]), np.float32), values.mean(0))


def whiten(values: Floats, blocks: Sequence[Block], groups: Indices, plain: bool = False) -> list[Whitened]:
    """The blocks of embeddings (clips, dim), whitened within groups.

    Args:
        groups: the group of each clip.
        plain: blocks that plain predictions do not use get no directions.
    """
    parts = split_blocks(values, blocks)
    with threadpool_limits(1, _BLAS):
        return [
            Whitened.unused(part) if plain and not block.plain else Whitened.of(part, groups)
            for block, part in zip(blocks, parts, strict=True)
        ]


def split_blocks(values: Floats, blocks: Sequence[Block]) -> list[Floats]:
    """The blocks of embeddings (clips, dim), each (clips, size)."""
    return np.split(values, np.cumsum([block.size for block in blocks])[:-1], axis=1)


def fit_layer(
    blocks: Sequence[Whitened],
    targets: Indices,
    n_labels: int,
    c: float,
    weights_of_clips: NDArray[np.float64] | None = None,
) -> nn.Linear:
    """The mean of a multinomial logistic regression on each block, as one layer: (n, dim) to logits (n, labels).

    Args:
        weights_of_clips: of mean 1, shape (clips,); None: all alike.
    """
    used = sum(block.coordinates.shape[1] > 0 for block in blocks)
    weights, bias = [], np.zeros(n_labels)
    for block in blocks:
        weight = np.zeros((n_labels, len(block.mean)))
        if block.coordinates.shape[1]:
            with threadpool_limits(1, _BLAS):
                fitted, fitted_bias = _fit(block.coordinates, targets, n_labels, c, weights_of_clips)
            weight = fitted @ block.projection / used
            bias += fitted_bias / used - weight @ block.mean
        weights.append(weight)
    layer = nn.Linear(sum(weight.shape[1] for weight in weights), n_labels)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(np.concatenate(weights, 1)))
        layer.bias.copy_(torch.from_numpy(bias))
    return layer.eval()


def speaker_folds(speakers: NDArray[np.str_]) -> list[Fold]:
    """Training and held-out indices of `INNER_FOLDS` folds of speakers, or of as many as there are; of clips of one."""
    groups = speakers if len(set(speakers.tolist())) > 1 else np.arange(len(speakers))
    folds = GroupKFold(min(INNER_FOLDS, len(set(groups.tolist()))))
    return list(folds.split(speakers, groups=groups))


def _covariance_within(values: Floats, groups: Indices) -> Floats:
    _, numbers = np.unique(groups, return_inverse=True)
    means = np.stack([values[numbers == number].mean(0) for number in range(numbers.max() + 1)])
    centred = values - means[numbers]
    covariance: Floats = centred.T @ centred / len(centred)
    return covariance


def _fit(
    values: Floats, targets: Indices, n_labels: int, c: float, weights_of_clips: NDArray[np.float64] | None
) -> tuple[Floats, NDArray[np.float64]]:
    """Weights (labels, directions) and biases (labels,); a label without a clip has the least probability."""
    weight, bias = np.zeros((n_labels, values.shape[1]), np.float32), np.full(n_labels, NO_CLIP)
    if len(set(targets.tolist())) == 1:
        bias[targets[0]] = 0
        return weight, bias
    fitted = LogisticRegression(C=c, max_iter=_MAX_ITERATIONS).fit(values, targets, weights_of_clips)
    if len(fitted.classes_) == 2:  # one row, of the second label against the first
        weight[fitted.classes_] = np.outer((-0.5, 0.5), fitted.coef_[0])
        bias[fitted.classes_] = np.multiply((-0.5, 0.5), fitted.intercept_[0])
    else:
        weight[fitted.classes_], bias[fitted.classes_] = fitted.coef_, fitted.intercept_
    return weight, bias

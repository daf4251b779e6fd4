"""How far a figure could have come out otherwise: bootstrap intervals over speakers."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000
LEVEL = 0.95


def intervals(
    speakers: Sequence[str], targets: NDArray[np.intp], predicted: NDArray[np.intp], n_labels: int, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95 % percentile intervals of accuracy, UAR, macro and weighted F1; speakers are drawn with replacement, whole.

    Clips of one speaker succeed or fail together, so drawing clips would promise too much (Field and Welsh 2007,
    Bootstrapping clustered data, JRSS B 69(3): 369-390). Where there is one speaker only, clips are drawn.

    Args:
        speakers: of each clip.
        targets, predicted: the true and the predicted label's index of each clip.
    """
    groups = np.unique(np.array(speakers), return_inverse=True)[1]
    if groups.max() == 0:
        groups = np.arange(len(groups))
    counts = np.zeros((groups.max() + 1, n_labels, n_labels))
    np.add.at(counts, (groups, targets, predicted), 1)
    n = len(counts)
    draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=DRAWS)
    figures = _figures(np.tensordot(draws.astype(float), counts, axes=1))
    tail = 100 * (1 - LEVEL) / 2
    return {name: tuple(np.percentile(values, [tail, 100 - tail]).tolist()) for name, values in figures.items()}


def _figures(confusions: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    hits = np.einsum("dll->dl", confusions)
    true, said = confusions.sum(axis=2), confusions.sum(axis=1)
    f1 = np.divide(2 * hits, true + said, out=np.zeros_like(hits), where=true + said > 0)
    return {
        "accuracy": hits.sum(axis=1) / true.sum(axis=1),
        "uar": _mean(hits, true),
        "macro_f1": _mean(2 * hits, true + said),
        "weighted_f1": (f1 * true).sum(axis=1) / true.sum(axis=1),
    }


def _mean(numerators: NDArray[np.float64], denominators: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over labels that occur, of each draw."""
    ratios = np.divide(numerators, denominators, out=np.zeros_like(numerators), where=denominators > 0)
    return ratios.sum(axis=1) / (denominators > 0).sum(axis=1)

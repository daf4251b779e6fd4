"""Confidence intervals of metrics: bootstrap over speakers, or binomial where there are too few of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

Interval = tuple[float, float]
DRAWS = 2000
LEVEL = 0.95
MIN_SPEAKERS = 5
"""Below this, drawing speakers with replacement gives intervals that are far too narrow."""


def interval_method(speakers: Sequence[str]) -> str:
    """How `intervals` computes them: `speakers` (bootstrap) from five speakers on, below that `binomial`."""
    return "speakers" if len(set(speakers)) >= MIN_SPEAKERS else "binomial"


def intervals(
    speakers: Sequence[str],
    targets: NDArray[np.intp],
    predicted: NDArray[np.intp],
    n_labels: int,
    clips: Sequence[str] = (),
    seed: int = 0,
) -> dict[str, Interval]:
    """95 % intervals of accuracy, UAR, macro and weighted F1; `metrics.json` names the method as `interval_method`.

    `speakers`: a percentile bootstrap that draws whole speakers with replacement. Clips of one speaker succeed or fail
    together, so drawing clips would give intervals that are too narrow (Field and Welsh 2007, Bootstrapping clustered
    data, JRSS B 69(3): 369-390).

    `binomial`, below five speakers: clips are taken as independent, so how speakers differ is not covered. Accuracy:
    Wilson's interval. UAR: from Wilson's intervals of the recalls (Zou, Huang and Zhang 2009, A note on confidence
    interval estimation for a linear function of binomial proportions, CSDA 53(4): 1080-1085). F1, which is no
    proportion: a bootstrap over clips.

    Args:
        speakers: of each clip.
        targets, predicted: the true and the predicted label's index of each clip.
        clips: their names, where several networks predicted the same ones; a clip then counts once.
        seed: of the bootstrap.
    """
    if interval_method(speakers) == "speakers":
        return _bootstrap(np.unique(np.array(speakers), return_inverse=True)[1], targets, predicted, n_labels, seed)
    groups = np.unique(np.array(clips), return_inverse=True)[1] if clips else np.arange(len(targets))
    by_clip = _bootstrap(groups, targets, predicted, n_labels, seed)
    accuracy, uar = _wilson(targets == predicted, groups), _uar_interval(targets, predicted, groups)
    return by_clip | {"accuracy": accuracy, "uar": uar}


def _wilson(correct: NDArray[np.bool_], groups: NDArray[np.intp]) -> Interval:
    """Of as many trials as there are groups: predictions of one clip are one trial."""
    clips = len(np.unique(groups))
    low, high = binomtest(round(correct.mean() * clips), clips).proportion_ci(LEVEL, method="wilson")
    return float(low), float(high)


def _uar_interval(targets: NDArray[np.intp], predicted: NDArray[np.intp], groups: NDArray[np.intp]) -> Interval:
    """The interval of the mean of the recalls, from the interval of each (Zou et al. 2009, equation 3)."""
    of_labels = [targets == label for label in np.unique(targets)]
    recalls = np.array([(predicted == targets)[one].mean() for one in of_labels])
    lows, highs = np.array([_wilson((predicted == targets)[one], groups[one]) for one in of_labels]).T
    below, above = (np.sqrt((distances**2).sum()) / len(recalls) for distances in (recalls - lows, highs - recalls))
    return float(recalls.mean() - below), float(recalls.mean() + above)


def _bootstrap(
    groups: NDArray[np.intp], targets: NDArray[np.intp], predicted: NDArray[np.intp], n_labels: int, seed: int
) -> dict[str, Interval]:
    counts = np.zeros((groups.max() + 1, n_labels, n_labels))
    np.add.at(counts, (groups, targets, predicted), 1)
    n = len(counts)
    draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=DRAWS)
    drawn = _metrics(np.tensordot(draws.astype(float), counts, axes=1))
    tail = 100 * (1 - LEVEL) / 2
    return {name: tuple(np.percentile(values, [tail, 100 - tail]).tolist()) for name, values in drawn.items()}


def _metrics(confusions: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Each metric of each confusion matrix (draws, true, predicted)."""
    hits = np.einsum("dll->dl", confusions)
    true, predicted = confusions.sum(axis=2), confusions.sum(axis=1)
    f1 = np.divide(2 * hits, true + predicted, out=np.zeros_like(hits), where=true + predicted > 0)
    return {
        "accuracy": hits.sum(axis=1) / true.sum(axis=1),
        "uar": _mean_ratio(hits, true),
        "macro_f1": _mean_ratio(2 * hits, true + predicted),
        "weighted_f1": (f1 * true).sum(axis=1) / true.sum(axis=1),
    }


def _mean_ratio(numerators: NDArray[np.float64], denominators: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean ratio over labels that occur, of each draw."""
    ratios = np.divide(numerators, denominators, out=np.zeros_like(numerators), where=denominators > 0)
    return ratios.sum(axis=1) / (denominators > 0).sum(axis=1)

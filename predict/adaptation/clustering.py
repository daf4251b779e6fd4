"""Clustering of speaker embeddings: which windows of a recording are of one speaker.

labels = cluster_speakers(embeddings, long_enough, min_cosine=0.37)

Agglomerative clustering with average linkage: the two clusters with the highest mean cosine between their members are
merged until none is left that reaches the limit. Of embeddings of length 1, that mean is the product of the clusters'
mean embeddings, so the whole takes a few lines of NumPy; prediction is installed without SciPy and scikit-learn.
`tests/test_speaker_clustering.py` compares it with scikit-learn's `AgglomerativeClustering`.
"""

import numpy as np
from numpy.typing import NDArray

from ser_images.export.formats.outputs import Floats

MAX_CLUSTERED = 1000
"""So many embeddings, evenly spaced, are clustered, in a second; the others join the nearest cluster."""
ALONE_MARGIN = 0.2
"""How far below the least cosine a single window must be from everybody to be a speaker of its own."""
Labels = NDArray[np.intp]


def cluster_speakers(
    embeddings: Floats, long: NDArray[np.bool_], min_cosine: float, n_speakers: int | None = None
) -> Labels:
    """The speaker of each window, shape (n,), numbered in order of appearance.

    A cluster of one window is a speaker only where it is unlike all others by `ALONE_MARGIN`: a shout or a laugh is not
    somebody else. Where there are more clusters than speakers, the smallest ones join the others.

    Args:
        embeddings: speaker embeddings, of length 1, shape (n, dim).
        long: windows that can make a speaker, shape (n,); the others join the nearest one.
        min_cosine: the least mean cosine of one speaker's windows.
        n_speakers: how many there are; None: as many as the limit leaves.
    """
    if not long.any():
        long = ~long
    clustered = embeddings[long]
    labels = cluster(clustered, min_cosine)
    if n_speakers and labels.max() + 1 < n_speakers:
        labels = cluster(clustered, min_cosine, n_speakers)
    if n_speakers:
        while labels.max() + 1 > n_speakers:
            labels = in_order(_joined(clustered, labels, int(np.bincount(labels).argmin()), -1.0))
    else:
        for lone in np.flatnonzero(np.bincount(labels) == 1):
            if (labels == lone).sum() == 1:  # none has joined it
                labels = _joined(clustered, labels, int(lone), min_cosine - ALONE_MARGIN)
    return in_order(_of_all(embeddings, long, labels))


def _joined(embeddings: Floats, labels: Labels, label: int, min_cosine: float) -> Labels:
    """The labels, where each window of one cluster joins the other cluster that is nearest, if it is near enough."""
    inside = labels == label
    others, joined = embeddings[~inside], labels.copy()
    if len(others):
        found, cosines = _nearest(embeddings[inside], others, labels[~inside])
        joined[inside] = np.where(cosines >= min_cosine, found, label)
    return joined


def _of_all(embeddings: Floats, long: NDArray[np.bool_], labels: Labels) -> Labels:
    """The labels of the long windows, and those that are nearest to the others, shape (n,)."""
    whole = np.empty(len(embeddings), np.intp)
    whole[long] = labels
    if not long.all():
        whole[~long] = nearest(embeddings[~long], embeddings[long], labels)
    return whole


def cluster(embeddings: Floats, min_cosine: float, n_clusters: int | None = None) -> Labels:
    """The cluster of each embedding, shape (n,), numbered in order of appearance.

    Args:
        embeddings: of length 1, shape (n, dim).
        min_cosine: the least mean cosine between two clusters that are merged.
        n_clusters: merge until there are so many, whatever their cosine; fewer only where there are fewer embeddings.
    """
    if len(embeddings) > MAX_CLUSTERED:
        chosen = np.linspace(0, len(embeddings) - 1, MAX_CLUSTERED).astype(int)
        return in_order(nearest(embeddings, embeddings[chosen], cluster(embeddings[chosen], min_cosine, n_clusters)))
    sums, counts = embeddings.astype(np.float64), np.ones(len(embeddings))
    labels = np.arange(len(embeddings))
    cosines = sums @ sums.T
    np.fill_diagonal(cosines, -np.inf)
    for _ in range(len(embeddings), max(1, n_clusters or 1), -1):
        kept, merged = sorted(divmod(int(cosines.argmax()), len(embeddings)))
        if n_clusters is None and cosines[kept, merged] < min_cosine:
            break
        labels[labels == merged] = kept
        sums[kept] += sums[merged]
        counts[kept] += counts[merged]
        alive = np.isin(np.arange(len(embeddings)), labels)
        cosines[merged] = cosines[:, merged] = -np.inf
        row = np.where(alive, sums @ sums[kept] / (counts * counts[kept]), -np.inf)
        row[kept] = -np.inf
        cosines[kept] = cosines[:, kept] = row
    return in_order(labels)


def nearest(embeddings: Floats, others: Floats, labels: Labels) -> Labels:
    """The cluster of `others`, whose labels these are, with the highest mean cosine for each embedding, shape (n,)."""
    return _nearest(embeddings, others, labels)[0]


def _nearest(embeddings: Floats, others: Floats, labels: Labels) -> tuple[Labels, NDArray[np.float64]]:
    """As `nearest`, with these mean cosines."""
    kinds = np.unique(labels)
    cosines = embeddings @ np.stack([others[labels == kind].mean(0, dtype=np.float64) for kind in kinds]).T
    return kinds[cosines.argmax(1)], cosines.max(1)


def in_order(labels: Labels) -> Labels:
    """The labels renumbered from 0 in order of their first appearance."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]

"""Embedded: clips as embeddings, for classifiers that are fitted to them at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ser_images.export.adaptation.network import embed, hidden_layers
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.manifest import ManifestRow
from ser_images.train.evaluation.adaptation import Indices
from ser_images.train.training.balance import balanced_weights
from ser_images.train.training.embeddings import EmbeddingCache

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Embedded:
    """Clips as embeddings.

    Attributes:
        rows: the manifest rows of their original images.
        values: the input of the network's last layer, shape (clips, dim).
        targets: the index of each label, shape (clips,).
        balance: what the clips are weighted by, as in `balanced_weights`.
    """

    rows: tuple[ManifestRow, ...]
    values: Floats
    targets: Indices
    balance: str = "none"

    @property
    def weights(self) -> NDArray[np.float64] | None:
        """The weight of each clip where a classifier is fitted to them; None: all alike."""
        return None if self.balance == "none" else balanced_weights(self.rows, self.balance)

    def corpus_numbers(self, corpora: Sequence[str]) -> Indices:
        """The index of each clip's corpus among these."""
        return np.array([corpora.index(row.corpus) for row in self.rows])

    @property
    def speakers(self) -> NDArray[np.str_]:
        """The speaker of each clip; a clip without one counts as a speaker of its own."""
        return np.array([row.speaker or row.clip for row in self.rows])

    @property
    def of_speakers(self) -> Indices:
        """Indices of the clips that name a speaker who has others too: the mean of a single clip is the clip."""
        names, numbers, counts = np.unique([row.speaker for row in self.rows], return_inverse=True, return_counts=True)
        found: Indices = np.flatnonzero((names[numbers] != "") & (counts[numbers] > 1))
        return found

    def sample(self, at_most: int) -> "Embedded":
        """Some of the clips, drawn at random but always the same; all where they are no more."""
        if len(self.rows) <= at_most:
            return self
        return self[np.sort(np.random.default_rng(0).choice(len(self.rows), at_most, replace=False))]

    def __getitem__(self, chosen: Indices) -> "Embedded":
        rows = tuple(self.rows[index] for index in chosen)
        return replace(self, rows=rows, values=self.values[chosen], targets=self.targets[chosen])


def embed_clips(
    learner: Any, image_set: ImageSet, rows: Sequence[ManifestRow], cache: EmbeddingCache | None = None
) -> Embedded:
    """The embeddings of the original images among these rows.

    Args:
        learner: a plain fastai learner, on the CPU.
        cache: embeddings of its frozen backbone, which then need not be computed again.
    """
    rows = [row for row in rows if row.variant == "original"]
    paths = [image_set.folder / row.image for row in rows]
    network = learner.model.eval()
    with torch.inference_mode():
        if cache is None:
            batches = [embed(network, torch.Tensor(batch))[0] for (batch,) in learner.dls.test_dl(paths)]
            values = torch.cat(batches)
        else:
            values = torch.from_numpy(cache.of_all(paths))
            for layer in hidden_layers(network[1]):
                values = layer(values)
    targets = np.array([image_set.labels.index(row.label) for row in rows])
    return Embedded(tuple(rows), values.numpy(), targets)

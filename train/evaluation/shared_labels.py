"""The labels that a model and an image set both have, for tests on other recordings.

shared = SharedLabels.of(bundle.labels, image_set.labels, label_map)
probabilities = shared.of_probabilities(model(images))
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ser_images.data.common.errors import UserError
from ser_images.data.label_map import LabelMap
from ser_images.data.labels import ordered_labels


@dataclass(frozen=True)
class SharedLabels:
    """What is scored where a model has other labels than an image set.

    Attributes:
        labels: those that both have.
        names: the shared label of each label of the image set that has one.
        of_model: which shared label each label of the model counts as, shape (labels of the model, shared labels).
        only_model, only_images: labels that the other does not have; their clips are not scored.
    """

    labels: tuple[str, ...]
    names: Mapping[str, str]
    of_model: NDArray[np.float64]
    only_model: tuple[str, ...]
    only_images: tuple[str, ...]

    @classmethod
    def of(cls, model: Sequence[str], images: Sequence[str], label_map: LabelMap | None = None) -> "SharedLabels":
        """The labels that both have, after the same map for both.

        Raises:
            UserError: fewer than two, or a map with a label that neither has.
        """
        rename = label_map.names((*model, *images)) if label_map else {label: label for label in (*model, *images)}
        ours, theirs = {rename[label] for label in model}, {rename[label] for label in images}
        labels = ordered_labels((ours & theirs) - {""})
        if len(labels) < 2:
            raise UserError(
                f"the model has the labels {', '.join(model)}, and the images {', '.join(images)}: fewer than two in "
                f"common; give --label-map, such as canonical"
            )
        return cls(
            labels,
            {label: rename[label] for label in images if rename[label] in labels},
            np.array([[float(rename[own] == label) for label in labels] for own in model]),
            tuple(label for label in model if rename[label] not in labels),
            tuple(label for label in images if rename[label] not in labels),
        )

    def of_probabilities(self, probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
        """Probabilities (n, labels of the model) as those of the shared labels, of sum 1, shape (n, shared labels)."""
        shared: NDArray[np.float64] = probabilities.astype(np.float64) @ self.of_model
        return shared / np.maximum(shared.sum(1, keepdims=True), 1e-12)

    def text(self) -> str:
        """A line that names the labels that are not scored; empty where all are."""
        parts = (("only the model has", self.only_model), ("only the images have", self.only_images))
        return "; ".join(f"{what} {', '.join(names)}" for what, names in parts if names)

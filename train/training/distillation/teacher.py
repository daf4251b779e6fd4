"""A teacher: a trained network whose probabilities and embeddings of every image a student imitates.

teacher = Teacher.of(Path("runs/teacher"), image_set, split, report)
loaders = data_loaders(image_set, split, …, targets=teacher.of_image)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from fastai.torch_core import TensorBase, default_device
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.decomposition import PCA
from torch import nn

from ser_images.data.common.errors import UserError, prefix_errors
from ser_images.data.splits import Split
from ser_images.export.adaptation.network import hidden_layers, last_layer
from ser_images.export.architectures.speech.pretrained_speech import Block
from ser_images.export.bundle.bundle import Bundle
from ser_images.export.formats.fastai_learner import plain_learner
from ser_images.export.models import open_bundle, read_network
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.training.callbacks import Report
from ser_images.train.training.corpus_heads import fit_head
from ser_images.train.training.embedded import Embedded, Floats
from ser_images.train.training.embeddings import compute_embeddings
from ser_images.train.training.linear_layer import speaker_folds, split_blocks, whiten
from ser_images.train.training.linear_probe import blocks_of
from ser_images.train.training.loaders import subset_rows

COMPONENTS = 256
_BATCH = 512
_C = 10.0
"""Inverse strength of the regularisation of layers that are fitted again."""


@dataclass(frozen=True)
class Teacher:
    """What a teacher says of every image of an image set.

    Attributes:
        probabilities: of the student's labels, shape (images, labels).
        embeddings: their first `COMPONENTS` principal components, shape (images, dim).
        rows: the index of each image file in both.
    """

    probabilities: Floats
    embeddings: Floats
    rows: Mapping[Path, int]

    @classmethod
    def of(cls, run: Path, image_set: ImageSet, split: Split, report: Report) -> "Teacher":
        """The teacher in a run folder or its zip.

        A linear probe knows its training clips by heart, and would say little more than their labels: their
        probabilities are those of layers that are fitted again, to other speakers.

        Args:
            split: its original training images define the principal components.

        Raises:
            UserError: no run, or one of other labels or images of another spec.
        """
        with prefix_errors("--teacher"):
            files, bundle = open_bundle(run)
        _require_fitting(run, bundle, image_set)
        learner = plain_learner(read_network(files, bundle), bundle.labels, bundle.spec, bundle.normalisation)
        backbone, head = learner.model.eval()
        device = default_device()
        loaders = learner.dls.to(device)
        cache = compute_embeddings(backbone.to(device), image_set, bundle.normalisation, loaders, report)
        values, logits = _head_outputs(head.cpu(), last_layer(learner.model), cache.values)
        order = [bundle.labels.index(label) for label in image_set.labels]
        probabilities = softmax(logits[:, order] / bundle.temperature, axis=1)
        training = _training_clips(image_set, split, values, cache.rows)
        blocks = blocks_of(bundle.architecture, values.shape[1])
        if bundle.linear_probe:
            report(f"teacher {run.name}: its last layer is fitted again, to folds of the training speakers")
            speakers = _speakers(image_set, cache.rows)
            corpora = image_set.corpora if bundle.corpus_heads else ()
            replace_by_out_of_fold(probabilities, training, values, speakers, blocks, corpora)
        return cls(probabilities, _components(values, training, blocks), cache.rows)

    def of_image(self, path: Path) -> torch.Tensor:
        """Its probabilities and its embedding, concatenated: shape (labels + dim,)."""
        row = self.rows[path]
        return TensorBase(torch.from_numpy(np.concatenate([self.probabilities[row], self.embeddings[row]])))


def _require_fitting(run: Path, bundle: Bundle, image_set: ImageSet) -> None:
    """Raise UserError where the teacher reads other images, or does not know every label."""
    if bundle.spec != image_set.spec:
        raise UserError(
            f"--teacher {run}: reads images of spec {bundle.spec.hash} ({bundle.spec.feature}), and these are of "
            f"{image_set.spec.hash} ({image_set.spec.feature}); build them with the spec in its bundle.json"
        )
    if unknown := [label for label in image_set.labels if label not in bundle.labels]:
        raise UserError(f"--teacher {run}: does not know the label {unknown[0]}; give one trained on the same labels")


def _head_outputs(head: nn.Module, last: nn.Module, values: NDArray[np.float16]) -> tuple[Floats, Floats]:
    """Embeddings, which are the input of the last layer, and logits of a backbone's outputs."""
    embeddings, logits = [], []
    with torch.inference_mode():
        for start in range(0, len(values), _BATCH):
            batch = torch.from_numpy(values[start : start + _BATCH].astype(np.float32))
            for layer in hidden_layers(head):
                batch = layer(batch)
            embeddings.append(batch.numpy())
            logits.append(last(batch).numpy())
    return np.concatenate(embeddings), np.concatenate(logits)


def _training_clips(image_set: ImageSet, split: Split, values: Floats, rows: Mapping[Path, int]) -> Embedded:
    """The embeddings of the original training images."""
    training = [row for row in subset_rows(image_set, split.train) if row.variant == "original"]
    indices = [rows[image_set.folder / row.image] for row in training]
    targets = np.array([image_set.labels.index(row.label) for row in training])
    return Embedded(tuple(training), values[indices], targets)


def _speakers(image_set: ImageSet, rows: Mapping[Path, int]) -> NDArray[np.str_]:
    """The speaker of every image; those that are not in the image set are of none."""
    of_row = {rows[image_set.folder / row.image]: row.speaker or row.clip for row in image_set.rows}
    return np.array([of_row.get(number, "") for number in range(len(rows))])


def replace_by_out_of_fold(
    probabilities: Floats,
    training: Embedded,
    values: Floats,
    speakers: NDArray[np.str_],
    blocks: Sequence[Block],
    corpora: Sequence[str],
) -> None:
    """Replace the probabilities of training speakers' images by those of heads fitted to the other speakers."""
    for fit, rest in speaker_folds(training.speakers):
        clips = training[fit]
        whitened = whiten(clips.values, blocks, clips.targets, plain=True)
        head = fit_head(clips, whitened, probabilities.shape[1], _C, corpora)
        held_out = np.flatnonzero(np.isin(speakers, training.speakers[rest]))
        with torch.inference_mode():
            probabilities[held_out] = head(torch.from_numpy(values[held_out])).softmax(1).numpy()


def _components(values: Floats, training: Embedded, blocks: Sequence[Block]) -> Floats:
    """Principal components of embeddings, whitened so that directions that tell labels apart come first.

    Args:
        values: embeddings of every image.
        training: defines whitening and components.
    """
    whitened = whiten(training.values, blocks, training.targets, plain=True)

    def coordinates(part: Floats) -> Floats:
        return np.concatenate(
            [block(values) for block, values in zip(whitened, split_blocks(part, blocks), strict=True)], 1
        )

    of_training = coordinates(training.values)
    pca = PCA(min(COMPONENTS, *np.subtract(of_training.shape, (1, 0))), random_state=0).fit(of_training)
    batches = [pca.transform(coordinates(values[start : start + _BATCH])) for start in range(0, len(values), _BATCH)]
    return np.concatenate(batches)

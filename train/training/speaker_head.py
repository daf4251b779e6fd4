"""The speaker head: linear classifiers on embeddings minus each speaker's mean, and how fast a new mean is trusted.

head, bias = fit_speaker_head(clips, blocks, n_labels, c=10)
c, shrinkage = choose(clips, plain, blocks, n_labels)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray

from ser_images.export.adaptation.network import SpeakerHead
from ser_images.export.adaptation.parameters import Shrinkage, SpeakerAdaptation
from ser_images.export.architectures.speech.pretrained_speech import Block
from ser_images.train.evaluation.adaptation import (
    SpeakerOutputs,
    mostly_one_label,
    one_label_after_the_other,
    online,
)
from ser_images.train.evaluation.uar import uar
from ser_images.train.training.embedded import Embedded
from ser_images.train.training.linear_layer import CS, Whitened, fit_layer, speaker_folds, whiten

SHRINKAGES = tuple(
    Shrinkage(plain_clips=plain, diversity_power=power) for plain, power in product((3.0, 5.0, 8.0), (1.0, 2.0))
)
"""What `choose` chooses from."""
_DRAWS = 3
Bias = tuple[float, ...]
Values = NDArray[np.float64]


def fit_speaker_head(clips: Embedded, blocks: Sequence[Block], n_labels: int, c: float) -> tuple[SpeakerHead, Bias]:
    """The speaker head of training clips, and its biases (labels,), which belong into the bundle.

    Args:
        blocks: of an embedding.
        c: inverse strength of the regularisation.
    """
    return Centred.of(clips, blocks).fit(n_labels, c)


@dataclass(frozen=True)
class Centred:
    """Training clips minus their speakers' means.

    Attributes:
        blocks: of the embeddings, whitened by their covariance within one speaker's clips of one label.
        targets: the index of each clip's label.
        population_mean: of the speakers' means, shape (dim,).
    """

    blocks: list[Whitened]
    targets: NDArray[np.intp]
    population_mean: NDArray[np.float32]

    @classmethod
    def of(cls, clips: Embedded, blocks: Sequence[Block]) -> "Centred":
        """The clips, each minus the mean of its speaker's clips."""
        names, numbers = np.unique(clips.speakers, return_inverse=True)
        groups = numbers * (clips.targets.max() + 1) + clips.targets
        whitened = [_centred(block, numbers) for block in whiten(clips.values, blocks, groups)]
        means = [clips.values[numbers == number].mean(0) for number in range(len(names))]
        return cls(whitened, clips.targets, np.mean(means, 0))

    def fit(self, n_labels: int, c: float) -> tuple[SpeakerHead, Bias]:
        """As `fit_speaker_head`."""
        layer = fit_layer(self.blocks, self.targets, n_labels, c)
        head = SpeakerHead(len(self.population_mean), n_labels)
        with torch.no_grad():
            head.get_buffer("population_mean").copy_(torch.from_numpy(self.population_mean))
            head.linear.weight.copy_(layer.weight)
        return head.eval(), tuple(layer.bias.tolist())


def _centred(block: Whitened, speakers: NDArray[np.intp]) -> Whitened:
    """The block of clips minus their speakers' means, whose own mean is zero."""
    means = np.stack([block.coordinates[speakers == one].mean(0) for one in range(speakers.max() + 1)])
    return Whitened(block.coordinates - means[speakers], block.projection, np.zeros_like(block.mean))


def speaker_outputs(clips: Embedded, plain: NDArray[np.floating], head: SpeakerHead) -> SpeakerOutputs:
    """What adaptation needs of these clips, with their plain probabilities (clips, labels)."""
    with torch.inference_mode():
        logits = head(torch.from_numpy(clips.values)).numpy()
    return SpeakerOutputs(clips.rows, clips.targets, plain.astype(np.float64), logits.astype(np.float64))


@dataclass(frozen=True)
class _HeldOut:
    """Clips of speakers that a speaker head was not fitted to, with its biases."""

    outputs: SpeakerOutputs
    adaptation: SpeakerAdaptation

    @classmethod
    def of(cls, centred: Centred, clips: Embedded, plain: NDArray[np.floating], n_labels: int, c: float) -> "_HeldOut":
        head, bias = centred.fit(n_labels, c)
        return cls(speaker_outputs(clips, plain, head), SpeakerAdaptation(len(centred.population_mean), bias))


def choose(
    clips: Embedded, plain: NDArray[np.floating], blocks: Sequence[Block], n_labels: int
) -> tuple[float, Shrinkage]:
    """The regularisation and the shrinkage that are best for speakers whom the head was not fitted to.

    Best: UAR online in random order and in the worst order, minus what is lost where most clips have one label.

    Args:
        clips: of training speakers, with embeddings that were not trained on them.
        plain: their probabilities by classifiers that were not fitted to their speaker, shape (clips, labels).
    """
    folds = [(Centred.of(clips[fit], blocks), clips[rest], plain[rest]) for fit, rest in speaker_folds(clips.speakers)]
    merits = {}
    for c in CS:
        held_out = [_HeldOut.of(*fold, n_labels, c) for fold in folds]
        merits |= {(c, shrinkage): _merit(held_out, shrinkage) for shrinkage in SHRINKAGES}
    return max(merits, key=merits.__getitem__)


def choose_c(
    train: Embedded, validation: Embedded, plain: NDArray[np.floating], blocks: Sequence[Block], n_labels: int
) -> float:
    """The regularisation that is best for validation speakers: for embeddings that were trained on the training clips.

    Args:
        plain: probabilities of the validation clips, shape (clips, labels).
    """

    centred = Centred.of(train, blocks)
    merits = {c: _merit([_HeldOut.of(centred, validation, plain, n_labels, c)], Shrinkage()) for c in CS}
    return max(merits, key=merits.__getitem__)


def _merit(held_out: Sequence[_HeldOut], shrinkage: Shrinkage) -> float:
    scores = np.zeros((3, 2))
    for order, name in enumerate(("random", "sorted", "one label")):
        targets, plain, adapted = (
            np.concatenate(each) for each in zip(*_predicted(held_out, shrinkage, name), strict=True)
        )
        scores[order] = uar(targets, plain), uar(targets, adapted)
    lost = max(0.0, scores[2, 0] - scores[2, 1])
    return float(scores[0, 1] + scores[1, 1] - lost)


def _predicted(
    held_out: Sequence[_HeldOut], shrinkage: Shrinkage, order: str
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]]:
    """Targets, plain and adapted labels of each speaker's clips in some draws of an order."""
    orders = {"random": lambda _, clips, rng: rng.permutation(clips), "sorted": one_label_after_the_other}
    for draw, one in product(range(_DRAWS), held_out):
        rng = np.random.default_rng(draw)
        adaptation = replace(one.adaptation, shrinkage=shrinkage)
        for clips in one.outputs.by_speaker:
            sequence = orders.get(order, mostly_one_label)(one.outputs.targets, clips, rng)
            adapted = online(one.outputs, sequence, adaptation).argmax(1)
            yield one.outputs.targets[sequence], one.outputs.plain[sequence].argmax(1), adapted

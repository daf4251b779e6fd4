"""A linear probe: a regularised linear layer on the embeddings of a frozen backbone, in place of epochs.

probe = fit_probe(embedded, blocks_of("campplus-whisper", dim), n_labels)
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from torch import nn

from ser_images.export.adaptation.network import last_layer
from ser_images.export.architectures import architecture
from ser_images.export.architectures.speech.pretrained_speech import Block, PretrainedSpeech
from ser_images.train.evaluation.calibration import choose_temperature
from ser_images.train.evaluation.predictions import Predictions
from ser_images.train.evaluation.uar import uar
from ser_images.train.training.corpus_heads import fit_head
from ser_images.train.training.embedded import Embedded
from ser_images.train.training.linear_layer import CS, speaker_folds, whiten

MAX_CLIPS = 1500
"""The regularisation is chosen on at most this many clips: fitting takes the third power of their number."""
_SMALLEST = 1e-12


@dataclass(frozen=True)
class Regularisation:
    """How strongly a probe is regularised, and what it was chosen by.

    Attributes:
        c: inverse strength.
        chosen_on: training clips.
        out_of_fold: their probabilities by layers not fitted to their speaker, shape (clips, labels).
    """

    c: float
    chosen_on: Embedded
    out_of_fold: NDArray[np.float64]

    def predictions(self, labels: Sequence[str]) -> Predictions:
        """`out_of_fold` with the clips that they are of."""
        return Predictions(self.chosen_on.rows, tuple(labels), self.out_of_fold.astype(np.float32))


@dataclass(frozen=True)
class Probe:
    """A fitted head.

    Attributes:
        head: one linear layer, or `CorpusHeads`.
        metrics: a row of `history.csv`; all but train_loss are out of fold.
    """

    head: nn.Module
    regularisation: Regularisation
    metrics: dict[str, float]

    def temperature(self, labels: Sequence[str]) -> float:
        """Of its logits, chosen on training clips by layers that were not fitted to their speaker."""
        return choose_temperature(self.regularisation.predictions(labels))


def fit_probe(
    clips: Embedded,
    blocks: Sequence[Block],
    n_labels: int,
    corpora: Sequence[str] = (),
    regularisation: Regularisation | None = None,
) -> Probe:
    """The head for training clips.

    Args:
        blocks: of an embedding; those that are not plain get no weight.
        corpora: those that get a linear layer each; none: one layer for all.
        regularisation: None: the best one for speakers whom the layer was not fitted to.
    """
    started = time.perf_counter()
    chosen = regularisation or choose_regularisation(clips, blocks, n_labels, corpora)
    whitened = whiten(clips.values, blocks, clips.targets, plain=True)
    head = fit_head(clips, whitened, n_labels, chosen.c, corpora)
    targets, predicted = chosen.chosen_on.targets, chosen.out_of_fold.argmax(1)
    metrics = {
        "train_loss": _cross_entropy(_probabilities(head, clips.values), clips.targets),
        "valid_loss": _cross_entropy(chosen.out_of_fold, targets),
        "accuracy": float((predicted == targets).mean()),
        "uar": uar(targets, predicted),
        "seconds": round(time.perf_counter() - started, 2),
    }
    return Probe(head, chosen, metrics)


def choose_regularisation(
    clips: Embedded, blocks: Sequence[Block], n_labels: int, corpora: Sequence[str] = ()
) -> Regularisation:
    """The regularisation with the highest UAR on folds of the training speakers; arguments as of `fit_probe`."""
    some = clips.sample(MAX_CLIPS)
    found = {c: np.zeros((len(some.rows), n_labels)) for c in CS}
    for fit, rest in speaker_folds(some.speakers):
        whitened = whiten(some.values[fit], blocks, some.targets[fit], plain=True)
        for c, probabilities in found.items():
            head = fit_head(some[fit], whitened, n_labels, c, corpora)
            probabilities[rest] = _probabilities(head, some.values[rest])
    best = max(found, key=lambda c: uar(some.targets, found[c].argmax(1)))
    return Regularisation(best, some, found[best])


def put_in(probe: Probe, network: nn.Sequential) -> None:
    """Copy the head into the network."""
    last_layer(network).load_state_dict(probe.head.state_dict())


def blocks_of(name: str, dim: int) -> tuple[Block, ...]:
    """The blocks of an architecture's embeddings: one, but where several parts of backbones have one each.

    Args:
        dim: size of the embeddings.
    """
    found = architecture(name)
    blocks = found.blocks if isinstance(found, PretrainedSpeech) else ()
    return blocks if sum(block.size for block in blocks) == dim else (Block(dim),)


def _probabilities(head: nn.Module, values: NDArray[np.float32]) -> NDArray[np.float64]:
    with torch.inference_mode():
        logits = head(torch.from_numpy(values)).numpy().astype(np.float64)
    found: NDArray[np.float64] = softmax(logits, axis=1)
    return found


def _cross_entropy(probabilities: NDArray[np.float64], targets: NDArray[np.intp]) -> float:
    return -float(np.log(np.maximum(probabilities[np.arange(len(targets)), targets], _SMALLEST)).mean())

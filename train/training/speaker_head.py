"""The speaker head: linear classifiers on embeddings minus each speaker's mean, fitted or the network's own.

head, bias = fit_speaker_head(clips, blocks, n_labels, c=10)
outputs = speaker_outputs(test_clips, plain, head)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ser_images.export.adaptation.network import SpeakerHead, last_layer
from ser_images.export.architectures.speech.pretrained_speech import Block
from ser_images.train.evaluation.adaptation import Indices, SpeakerOutputs
from ser_images.train.training.corpus_heads import fit_layers
from ser_images.train.training.embedded import Embedded
from ser_images.train.training.linear_layer import NO_CLIP, Whitened, fit_layer, whiten

_CORPUS_C = 10.0
"""Inverse strength of the regularisation of the layer that tells corpora apart."""
Bias = tuple[float, ...]


def fit_speaker_head(
    clips: Embedded, blocks: Sequence[Block], n_labels: int, c: float, corpora: Sequence[str] = ()
) -> tuple[SpeakerHead, Bias]:
    """The speaker head of training clips, and its biases (labels,), which belong into the bundle.

    Args:
        blocks: of an embedding.
        c: inverse strength of the regularisation.
        corpora: those that get a layer each; none: one layer for all.
    """
    return Centred.of(clips, blocks, corpora).fit(n_labels, c)


def own_speaker_head(network: nn.Sequential, clips: Embedded) -> tuple[SpeakerHead, Bias]:
    """The last layer of a trained network as its speaker head; clips and result as of `fit_speaker_head`.

    A speaker is moved to where the mean of all speakers is. A network knows its training clips by heart, so a layer
    fitted to them again is worse than its own, which was trained with augmentation (LOG.md, 2026-11-28).
    """
    layer = last_layer(network)
    assert isinstance(layer, nn.Linear)
    head = SpeakerHead(layer.in_features, layer.out_features)
    population_mean = torch.from_numpy(np.mean(_means_of_speakers(clips), 0))
    with torch.no_grad():
        head.get_buffer("population_mean").copy_(population_mean)
        head.linear.weight.copy_(layer.weight)
        bias = layer(population_mean.to(layer.weight.device))
    return head.eval(), tuple(bias.tolist())


def _means_of_speakers(clips: Embedded) -> list[NDArray[np.float32]]:
    return [clips.values[clips.speakers == speaker].mean(0) for speaker in np.unique(clips.speakers)]


@dataclass(frozen=True)
class Centred:
    """Training clips minus their speakers' means.

    Attributes:
        blocks: of the embeddings, whitened by their covariance within one speaker's clips of one label.
        targets: the index of each clip's label.
        population_mean: of the speakers' means, shape (dim,).
        weights: of the clips; None: all alike.
        corpora: those that get a layer each.
        numbers: the index of each clip's corpus; none where one layer is for all.
        corpus: tells corpora apart; None where one layer is for all.
    """

    blocks: list[Whitened]
    targets: Indices
    population_mean: NDArray[np.float32]
    weights: NDArray[np.float64] | None
    corpora: tuple[str, ...]
    numbers: Indices
    corpus: nn.Linear | None

    @classmethod
    def of(cls, clips: Embedded, blocks: Sequence[Block], corpora: Sequence[str] = ()) -> "Centred":
        """The clips, each minus the mean of its speaker's clips; `corpora` as of `fit_speaker_head`."""
        _, speakers = np.unique(clips.speakers, return_inverse=True)
        groups = speakers * (clips.targets.max() + 1) + clips.targets
        whitened = whiten(clips.values, blocks, groups)
        numbers = clips.corpus_numbers(corpora) if corpora else np.zeros(0, np.intp)
        corpus = fit_layer(whitened, numbers, len(corpora), _CORPUS_C) if corpora else None
        centred = [_centred(block, speakers) for block in whitened]
        return cls(
            centred,
            clips.targets,
            np.mean(_means_of_speakers(clips), 0),
            clips.weights,
            tuple(corpora),
            numbers,
            corpus,
        )

    def fit(self, n_labels: int, c: float) -> tuple[SpeakerHead, Bias]:
        """As `fit_speaker_head`."""
        head = SpeakerHead(len(self.population_mean), n_labels, len(self.corpora))
        if head.corpus is None or self.corpus is None:
            layer = fit_layer(self.blocks, self.targets, n_labels, c, self.weights)
            weight, bias = layer.weight, tuple(layer.bias.tolist())
        else:
            head.corpus.load_state_dict(self.corpus.state_dict())
            layers = fit_layers(self.blocks, self.targets, self.numbers, self.corpora, n_labels, c, self.weights)
            weight = torch.cat([layer.weight for layer in layers])
            bias = self._common_bias(np.array([layer.bias.tolist() for layer in layers]))
        with torch.no_grad():
            head.get_buffer("population_mean").copy_(torch.from_numpy(self.population_mean))
            head.linear.weight.copy_(weight)
        return head.eval(), bias

    def _common_bias(self, biases: NDArray[np.float64]) -> Bias:
        """One bias for each label, from those of each corpus's layer, (corpora, labels).

        The mean over the corpora that have the label: that a corpus lacks one says nothing about it elsewhere.
        """
        common = np.full_like(biases, np.nan)
        for number, bias in enumerate(biases):
            own = np.unique(self.targets[self.numbers == number])
            common[number, own] = bias[own] - bias[own].mean() if own.size else 0
        has = ~np.isnan(common)
        means = np.nansum(common, 0) / np.maximum(has.sum(0), 1)
        return tuple(np.where(has.any(0), means, NO_CLIP).tolist())


def _centred(block: Whitened, speakers: Indices) -> Whitened:
    """The block of clips minus their speakers' means, whose own mean is zero."""
    means = np.stack([block.coordinates[speakers == one].mean(0) for one in range(speakers.max() + 1)])
    return Whitened(block.coordinates - means[speakers], block.projection, np.zeros_like(block.mean))


def speaker_outputs(clips: Embedded, plain: NDArray[np.floating], head: SpeakerHead) -> SpeakerOutputs:
    """What adaptation needs of these clips, with their plain probabilities (clips, labels)."""
    with torch.inference_mode():
        logits = head(torch.from_numpy(clips.values)).numpy()
    return SpeakerOutputs(clips.rows, clips.targets, plain.astype(np.float64), logits.astype(np.float64))

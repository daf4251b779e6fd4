"""Adapter: what adapts a trained network to a speaker; chosen, fitted and evaluated.

choice = choose_adapter("campplus", train, probe, validation, predictions)
adapter = fit_adapter(choice, "campplus", network, train, n_labels, speaker_embedding)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from ser_images.export.adaptation.network import AdaptiveNetwork
from ser_images.export.adaptation.parameters import Shrinkage, SpeakerAdaptation
from ser_images.export.architectures.speech.campplus import SAME_SPEAKER, SpeakerEmbedding
from ser_images.train.evaluation.adaptation import AdaptedLabel, enrolled, evaluate
from ser_images.train.evaluation.calibration import choose_temperature
from ser_images.train.evaluation.predictions import Predictions
from ser_images.train.training.embedded import Embedded
from ser_images.train.training.linear_probe import Probe, blocks_of
from ser_images.train.training.speaker_head import choose, choose_c, fit_speaker_head, speaker_outputs

_FULL_TRUST = Shrinkage(prior_clips=0, plain_clips=0, diversity_power=0)


@dataclass(frozen=True)
class AdapterChoice:
    """What is chosen before the network is fitted to its validation clips too.

    Attributes:
        c: inverse strength of the regularisation of the speaker head.
        temperature: of its probabilities.
    """

    c: float
    shrinkage: Shrinkage
    temperature: float


@dataclass(frozen=True)
class Adapter:
    """A network with a speaker head, and the numbers that its bundle needs."""

    network: AdaptiveNetwork
    adaptation: SpeakerAdaptation


def choose_adapter(
    name: str, train: Embedded, probe: Probe | None, validation: Embedded, predictions: Predictions
) -> AdapterChoice:
    """Regularisation, shrinkage and temperature of an adapter.

    Those of a linear probe are chosen by folds of its training speakers. A network that was trained knows its training
    clips by heart: its regularisation is chosen on the validation speakers, and its shrinkage is the default.

    Args:
        name: of the architecture.
        predictions: plain, of the validation clips.
    """
    n_labels, dim = len(predictions.labels), train.values.shape[1]
    blocks = blocks_of(name, dim)
    if probe:
        c, shrinkage = choose(probe.chosen_on, probe.out_of_fold, blocks, n_labels)
    else:
        c, shrinkage = choose_c(train, validation, predictions.probabilities, blocks, n_labels), Shrinkage()
    head, bias = fit_speaker_head(train, blocks, n_labels, c)
    outputs = speaker_outputs(validation, predictions.probabilities, head)
    probabilities = np.zeros_like(predictions.probabilities)
    for clips in outputs.by_speaker:
        probabilities[clips] = enrolled(outputs, clips, clips, SpeakerAdaptation(dim, bias, shrinkage=_FULL_TRUST))
    return AdapterChoice(c, shrinkage, choose_temperature(replace(predictions, probabilities=probabilities)))


def fit_adapter(
    choice: AdapterChoice,
    name: str,
    network: nn.Sequential,
    train: Embedded,
    n_labels: int,
    speaker_embedding: SpeakerEmbedding | None = None,
) -> Adapter:
    """The adapter of a network that is trained.

    Args:
        name: of the architecture.
        train: the clips that it was trained on.
        speaker_embedding: tells speakers apart; None: there is none.
    """
    dim = train.values.shape[1]
    head, bias = fit_speaker_head(train, blocks_of(name, dim), n_labels, choice.c)
    same_speaker = SAME_SPEAKER if speaker_embedding else None
    adaptation = SpeakerAdaptation(dim, bias, choice.temperature, choice.shrinkage, same_speaker)
    return Adapter(AdaptiveNetwork(network, head, speaker_embedding).eval(), adaptation)


def evaluate_adapter(
    adapter: Adapter, train: Embedded, scored: Embedded, predictions: Predictions, seed: int
) -> Sequence[AdaptedLabel]:
    """Adapted labels of the scored clips; none where a speaker of theirs, or no speaker, is in training.

    Args:
        predictions: plain, of the scored clips.
    """
    speakers = {row.speaker for row in scored.rows}
    if not speakers - {""} or speakers & {row.speaker for row in train.rows}:
        return ()
    outputs = speaker_outputs(scored, predictions.probabilities, adapter.network.speaker_head)
    return evaluate(outputs, predictions.labels, adapter.adaptation, seed)

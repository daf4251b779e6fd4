"""Adapter: what adapts a trained network to a speaker; chosen, fitted and evaluated.

choice = choose_adapter("campplus", train, probe, temperature, validation, predictions)
adapter = fit_adapter(choice, "campplus", network, train, n_labels, speaker_embedding)
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from ser_images.export.adaptation.network import AdaptiveNetwork
from ser_images.export.adaptation.parameters import Shrinkage, SpeakerAdaptation
from ser_images.export.architectures.speech.campplus import SAME_SPEAKER, SpeakerEmbedding
from ser_images.train.evaluation.adaptation import AdaptedLabel, evaluate
from ser_images.train.evaluation.calibration import with_temperature
from ser_images.train.evaluation.predictions import Predictions
from ser_images.train.training.embedded import Embedded
from ser_images.train.training.linear_layer import speaker_folds
from ser_images.train.training.linear_probe import Probe, blocks_of
from ser_images.train.training.speaker_head import (
    SHRINKAGES,
    AdapterChoice,
    Centred,
    HeldOut,
    choose,
    fit_speaker_head,
    speaker_outputs,
)


@dataclass(frozen=True)
class Adapter:
    """A network with a speaker head, and the numbers that its bundle needs."""

    network: AdaptiveNetwork
    adaptation: SpeakerAdaptation


def choose_adapter(
    name: str, train: Embedded, probe: Probe | None, temperature: float, validation: Embedded, predictions: Predictions
) -> AdapterChoice:
    """Regularisation, temperature and shrinkage of an adapter.

    Those of a linear probe are chosen by folds of its training speakers. A network that was trained knows its training
    clips by heart: regularisation and temperature are chosen on the validation speakers, and the shrinkage is the
    default.

    Args:
        name: of the architecture.
        temperature: of the plain logits.
        predictions: plain, of the validation clips, with this temperature.
    """
    blocks, labels = blocks_of(name, train.values.shape[1]), predictions.labels
    if probe is None:
        return choose(
            [HeldOut(Centred.of(train, blocks), validation, predictions.probabilities)], labels, [Shrinkage()]
        )
    plain = with_temperature(probe.out_of_fold_predictions(labels), temperature).probabilities
    clips = probe.chosen_on
    folds = [
        HeldOut(Centred.of(clips[fit], blocks), clips[rest], plain[rest]) for fit, rest in speaker_folds(clips.speakers)
    ]
    return choose(folds, labels, SHRINKAGES)


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

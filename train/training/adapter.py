"""Adapter: what adapts a trained network to a speaker; chosen, fitted and evaluated.

choice = choose_by_speakers("campplus", probe.regularisation, temperature, labels)
adapter = fit_adapter(choice, "campplus", network, train, n_labels, speaker_embedding)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from ser_images.export.adaptation.network import AdaptiveNetwork, SpeakerHead, last_layer
from ser_images.export.adaptation.parameters import Shrinkage, SpeakerAdaptation
from ser_images.export.architectures.speech.campplus import SAME_SPEAKER, SpeakerEmbedding
from ser_images.train.evaluation.adaptation import AdaptedLabel, evaluate
from ser_images.train.evaluation.calibration import with_temperature
from ser_images.train.evaluation.predictions import Predictions
from ser_images.train.training.adapter_choice import SHRINKAGES, AdapterChoice, HeldOut, choose
from ser_images.train.training.embedded import Embedded
from ser_images.train.training.linear_layer import speaker_folds
from ser_images.train.training.linear_probe import Regularisation, blocks_of
from ser_images.train.training.speaker_head import (
    Bias,
    Centred,
    fit_speaker_head,
    own_speaker_head,
    speaker_outputs,
)


@dataclass(frozen=True)
class Adapter:
    """A network with a speaker head, the numbers that its bundle needs, and the choice that it was fitted by."""

    network: AdaptiveNetwork
    adaptation: SpeakerAdaptation
    choice: AdapterChoice


def choose_by_speakers(
    name: str,
    regularisation: Regularisation,
    temperature: float,
    labels: Sequence[str],
    corpora: Sequence[str] = (),
) -> AdapterChoice:
    """Regularisation, temperature and shrinkage for a linear probe, by folds of its training speakers.

    Args:
        name: of the architecture.
        regularisation: of the probe.
        temperature: of the plain logits.
        corpora: those that get a layer each; none: one layer for all.
    """
    named = regularisation.chosen_on.of_speakers
    clips = regularisation.chosen_on[named]
    blocks = blocks_of(name, clips.values.shape[1])
    plain = with_temperature(regularisation.predictions(labels), temperature).probabilities[named]
    folds = (  # one at a time: the whitened embeddings of all would be most of the memory of a training
        HeldOut(_fitted(Centred.of(clips[fit], blocks, corpora), len(labels)), clips[rest], plain[rest])
        for fit, rest in (speaker_folds(clips.speakers) if named.size else ())
    )
    return choose(folds, labels, SHRINKAGES)


def choose_on_validation(
    name: str, network: nn.Sequential, train: Embedded, validation: Embedded, predictions: Predictions
) -> AdapterChoice:
    """Temperature for a network that was trained, on its validation speakers; default shrinkage.

    Its speaker head is its own last layer; where its head is an ensemble of classifiers, one that is fitted, with the
    best regularisation for the validation speakers. It knows its training clips by heart: folds of them say nothing.

    Args:
        name: of the architecture.
        predictions: plain, of the validation clips.
    """
    clips, labels, plain = train[train.of_speakers], predictions.labels, predictions.probabilities
    if isinstance(last_layer(network), nn.Linear):
        own = HeldOut(lambda _: own_speaker_head(network, clips), validation, plain)
        return choose([own], labels, [Shrinkage()], [None])
    centred = Centred.of(clips, blocks_of(name, train.values.shape[1]))
    return choose([HeldOut(_fitted(centred, len(labels)), validation, plain)], labels, [Shrinkage()])


def _fitted(centred: Centred, n_labels: int) -> Callable[[float | None], tuple[SpeakerHead, Bias]]:
    def fit(c: float | None) -> tuple[SpeakerHead, Bias]:
        assert c is not None
        return centred.fit(n_labels, c)

    return fit


def fit_adapter(
    choice: AdapterChoice,
    name: str,
    network: nn.Sequential,
    train: Embedded,
    n_labels: int,
    speaker_embedding: SpeakerEmbedding | None = None,
    corpora: Sequence[str] = (),
) -> Adapter:
    """The adapter of a network that is trained.

    Args:
        name: of the architecture.
        train: the clips that it was trained on; those of speakers with several clips are used.
        speaker_embedding: tells speakers apart; None: there is none.
        corpora: as of `choose_by_speakers`.
    """
    dim, clips = train.values.shape[1], train[train.of_speakers]
    if choice.c is None:
        head, bias = own_speaker_head(network, clips)
    else:
        head, bias = fit_speaker_head(clips, blocks_of(name, dim), n_labels, choice.c, corpora)
    same_speaker = SAME_SPEAKER if speaker_embedding else None
    adaptation = SpeakerAdaptation(dim, bias, choice.temperature, choice.shrinkage, same_speaker)
    return Adapter(AdaptiveNetwork(network, head, speaker_embedding).eval(), adaptation, choice)


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

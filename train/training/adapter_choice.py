"""The choice of an adapter: how a speaker head is regularised, and how fast a new mean is trusted.

choice = choose(folds, labels, SHRINKAGES)
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ser_images.export.adaptation.network import SpeakerHead
from ser_images.export.adaptation.parameters import Shrinkage, SpeakerAdaptation
from ser_images.train.evaluation.adaptation import (
    Indices,
    Order,
    SpeakerOutputs,
    enrolled,
    mostly_one_label,
    one_label_after_the_other,
    online,
    random_order,
)
from ser_images.train.evaluation.calibration import choose_temperature
from ser_images.train.evaluation.predictions import Predictions, joined
from ser_images.train.evaluation.uar import uar
from ser_images.train.training.embedded import Embedded
from ser_images.train.training.linear_layer import CS
from ser_images.train.training.speaker_head import Bias, speaker_outputs

SHRINKAGES = tuple(
    Shrinkage(plain_clips=plain, diversity_power=power) for plain, power in product((3.0, 5.0, 8.0), (1.0, 2.0))
)
"""What `choose` chooses from."""
_DRAWS = 3
_FULL_TRUST = Shrinkage(prior_clips=0, plain_clips=0, diversity_power=0)


@dataclass(frozen=True)
class AdapterChoice:
    """What is chosen by speakers whom the speaker head was not fitted to.

    Attributes:
        c: inverse strength of the regularisation of the speaker head; None: it is the network's own last layer.
        temperature: of its logits.
    """

    c: float | None
    shrinkage: Shrinkage
    temperature: float


@dataclass(frozen=True)
class HeldOut:
    """Clips of speakers whom speaker heads do not know, with their plain probabilities.

    Attributes:
        fit: the speaker head, and its biases, of a regularisation `c`.
    """

    fit: Callable[[float | None], tuple[SpeakerHead, Bias]]
    clips: Embedded
    plain: NDArray[np.floating]


@dataclass(frozen=True)
class _Fitted:
    outputs: SpeakerOutputs
    adaptation: SpeakerAdaptation


def choose(
    folds: Iterable[HeldOut],
    labels: Sequence[str],
    shrinkages: Sequence[Shrinkage],
    cs: Sequence[float | None] = CS,
) -> AdapterChoice:
    """The regularisation among `cs`, the temperature and the shrinkage that are best for the held-out speakers.

    Best: UAR online in random order and in the worst order, minus what is lost where most clips have one label. The
    middle regularisation and the defaults where no held-out clip names its speaker.
    """
    by_fold = [[_fit(fold, c) for c in cs] for fold in folds]
    if not any(row.speaker for fitted in by_fold for row in fitted[0].outputs.rows):
        return AdapterChoice(cs[len(cs) // 2], Shrinkage(), 1.0)
    choices = {}
    for c, *fitted in zip(cs, *by_fold, strict=True):
        temperature = _temperature(fitted, labels)
        for shrinkage in shrinkages:
            numbers = [
                replace(one, adaptation=replace(one.adaptation, temperature=temperature, shrinkage=shrinkage))
                for one in fitted
            ]
            choices[AdapterChoice(c, shrinkage, temperature)] = _merit(numbers)
    return max(choices, key=choices.__getitem__)


def _fit(fold: HeldOut, c: float | None) -> _Fitted:
    head, bias = fold.fit(c)
    return _Fitted(speaker_outputs(fold.clips, fold.plain, head), SpeakerAdaptation(fold.clips.values.shape[1], bias))


def _temperature(fitted: Sequence[_Fitted], labels: Sequence[str]) -> float:
    """Of the speaker head's probabilities of held-out clips, where all clips of each speaker are known."""
    parts = []
    for one in fitted:
        full, probabilities = replace(one.adaptation, shrinkage=_FULL_TRUST), np.zeros_like(one.outputs.plain)
        for clips in one.outputs.by_speaker:
            probabilities[clips] = enrolled(one.outputs, clips, clips, full)
        parts.append(Predictions(one.outputs.rows, tuple(labels), probabilities.astype(np.float32)))
    return choose_temperature(joined(parts))


def _merit(fitted: Sequence[_Fitted]) -> float:
    scores = np.zeros((3, 2))
    for number, order in enumerate((random_order, one_label_after_the_other, mostly_one_label)):
        targets, plain, adapted = (np.concatenate(each) for each in zip(*_predicted(fitted, order), strict=True))
        scores[number] = uar(targets, plain), uar(targets, adapted)
    lost = max(0.0, scores[2, 0] - scores[2, 1])
    return float(scores[0, 1] + scores[1, 1] - lost)


def _predicted(fitted: Sequence[_Fitted], order: Order) -> Iterator[tuple[Indices, Indices, Indices]]:
    """Targets, plain and adapted labels of each speaker's clips in some draws of an order."""
    for draw, one in product(range(_DRAWS), fitted):
        rng = np.random.default_rng(draw)
        for clips in one.outputs.by_speaker:
            sequence = order(one.outputs.targets, clips, rng)
            adapted = online(one.outputs, sequence, one.adaptation).argmax(1)
            yield one.outputs.targets[sequence], one.outputs.plain[sequence].argmax(1), adapted

"""How far a confidence can be believed, and below which one nothing should be said.

temperature = choose_temperature(validation)
believable = with_temperature(test, temperature)
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from ser_images.train.evaluation.predictions import Predictions, joined

BINS = 15
"""As Guo et al. (2017) have."""
MOST = 4.0
"""A temperature lies between a quarter and this: a few clips, all of them right, would otherwise ask for none."""
KEPT = 0.8
"""The share of validation clips that the threshold for `uncertain` lets through."""
_SMALLEST = 1e-12


@dataclass(frozen=True)
class Bin:
    """Clips of about the same confidence.

    Attributes:
        clips: how many.
        confidence: their mean.
        accuracy: the share of them that is right.
    """

    clips: int
    confidence: float
    accuracy: float


def fit_temperature(predictions: Predictions) -> float:
    """What the logits must be divided by for the least cross entropy.

    Guo C et al. (2017). On Calibration of Modern Neural Networks. ICML.

    Args:
        predictions: of validation clips, at temperature 1.
    """
    logits, targets = _logits(predictions), predictions.targets

    def loss(log_temperature: float) -> float:
        shares = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float(shares[np.arange(len(targets)), targets].mean())

    found = minimize_scalar(loss, bounds=(-np.log(MOST), np.log(MOST)), method="bounded")
    return float(np.exp(found.x))


def choose_temperature(predictions: Predictions) -> float:
    """The fitted temperature where fitting one is of use to voices that it was not fitted on, else 1.

    Each speaker is left out once, and the loss of their clips compared; a single speaker leaves nothing to compare.

    Args:
        predictions: of validation clips, at temperature 1.
    """
    speakers = {row.speaker for row in predictions.rows}
    found = fit_temperature(predictions)
    if len(speakers) < 2:
        return found

    def gain(speaker: str) -> float:
        left_out = predictions.where(lambda row: row.speaker == speaker)
        others = predictions.where(lambda row: row.speaker != speaker)
        return float(left_out.losses.mean() - with_temperature(left_out, fit_temperature(others)).losses.mean())

    return found if np.mean([gain(speaker) for speaker in speakers]) > 0 else 1.0


def with_temperature(predictions: Predictions, temperature: float) -> Predictions:
    """What the network would say with its logits divided by `temperature` once more."""
    return replace(predictions, probabilities=softmax(_logits(predictions) / temperature, axis=1).astype(np.float32))


def _logits(predictions: Predictions) -> NDArray[np.float64]:
    return np.log(np.maximum(predictions.probabilities.astype(np.float64), _SMALLEST))


def reliability(predictions: Predictions) -> list[Bin]:
    """The clips in `BINS` bins of equal width by confidence, the empty ones left out."""
    places = np.minimum((predictions.confidences * BINS).astype(int), BINS - 1)
    bins = []
    for place in np.unique(places):
        inside = places == place
        confidence, accuracy = predictions.confidences[inside].mean(), predictions.right[inside].mean()
        bins.append(Bin(int(inside.sum()), float(confidence), float(accuracy)))
    return bins


def expected_calibration_error(predictions: Predictions) -> float:
    """The mean distance of confidence from accuracy over the bins, weighed by their clips (Naeini et al. 2015)."""
    found = reliability(predictions)
    distances = sum(one.clips * abs(one.confidence - one.accuracy) for one in found)
    return distances / sum(one.clips for one in found)


def risk_coverage(predictions: Predictions) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coverage (the share of clips answered, surest first) and risk (the share of those that is wrong), a point a clip.

    El-Yaniv R, Wiener Y (2010). On the Foundations of Noise-free Selective Classification. JMLR 11: 1605-1641.
    """
    surest_first = np.argsort(-predictions.confidences, kind="stable")
    answered = np.arange(1, len(surest_first) + 1)
    return answered / len(surest_first), np.cumsum(~predictions.right[surest_first]) / answered


def threshold(predictions: Predictions) -> float:
    """The confidence that a share of `KEPT` of the clips reaches: below it, `uncertain` is the better answer."""
    return float(np.quantile(predictions.confidences, 1 - KEPT))


@dataclass(frozen=True)
class Calibrated:
    """What a network says of clips on which neither its temperature nor its threshold was fitted.

    Attributes:
        temperature: already applied to the predictions.
        uncertain_below: the confidence below which `uncertain` is the better answer.
    """

    predictions: Predictions
    temperature: float
    uncertain_below: float

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Which of the clips are answered."""
        return np.asarray(self.predictions.confidences >= self.uncertain_below)


def calibration(folds: Sequence[Calibrated]) -> dict[str, Any]:
    """The figures of calibration of one fold, or of several together."""
    predictions = joined([fold.predictions for fold in folds])
    before = joined([with_temperature(fold.predictions, 1 / fold.temperature) for fold in folds])
    answered = np.concatenate([fold.answered for fold in folds])
    return {
        "temperature": [fold.temperature for fold in folds],
        "uncertain_below": [fold.uncertain_below for fold in folds],
        "ece_before": expected_calibration_error(before),
        "ece": expected_calibration_error(predictions),
        "answered": float(answered.mean()),
        "accuracy_of_answered": float(predictions.right[answered].mean()) if answered.any() else None,
        "reliability": [asdict(one) for one in reliability(predictions)],
    }

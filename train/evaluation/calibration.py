"""Calibration: temperature scaling, calibration error, and the confidence below which the answer is `uncertain`.

temperature = choose_temperature(validation)
calibrated = with_temperature(test, temperature)
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
"""As in Guo et al. (2017)."""
MAX_TEMPERATURE = 4.0
"""A temperature lies between 1/4 and this; a few clips, all classified correctly, would otherwise drive it to 0."""
COVERAGE = 0.8
"""The fraction of validation clips whose confidence reaches the threshold for `uncertain`."""
_SMALLEST = 1e-12


@dataclass(frozen=True)
class Bin:
    """Clips of similar confidence.

    Attributes:
        clips: number of clips.
        confidence: their mean confidence.
        accuracy: the fraction of them that is correct.
    """

    clips: int
    confidence: float
    accuracy: float


def fit_temperature(predictions: Predictions) -> float:
    """The temperature that the logits are divided by for the lowest cross entropy.

    Guo C et al. (2017). On Calibration of Modern Neural Networks. ICML.

    Args:
        predictions: of validation clips, at temperature 1.
    """
    logits, targets = _logits(predictions), predictions.targets

    def loss(log_temperature: float) -> float:
        log_probabilities = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float(log_probabilities[np.arange(len(targets)), targets].mean())

    limit = np.log(MAX_TEMPERATURE)
    found = minimize_scalar(loss, bounds=(-limit, limit), method="bounded")
    return float(np.exp(found.x))


def choose_temperature(predictions: Predictions) -> float:
    """The fitted temperature where it lowers the loss of speakers that it was not fitted on, else 1.

    Each speaker is left out once, and the loss of their clips compared. Clips of a single speaker allow no such
    comparison: the temperature is 1. Where no speaker is named, it is fitted without the comparison.

    Args:
        predictions: of validation clips, at temperature 1.
    """
    if has_one_speaker(predictions):
        return 1.0
    fitted = fit_temperature(predictions)
    speakers = _speakers(predictions)
    if not speakers:
        return fitted

    def gain(speaker: str) -> float:
        left_out = predictions.where(lambda row: row.speaker == speaker)
        others = predictions.where(lambda row: row.speaker != speaker)
        return float(left_out.losses.mean() - with_temperature(left_out, fit_temperature(others)).losses.mean())

    return fitted if np.mean([gain(speaker) for speaker in speakers]) > 0 else 1.0


def has_one_speaker(predictions: Predictions) -> bool:
    """Whether all clips are of one named speaker: too few to fit a temperature."""
    return len(_speakers(predictions)) == 1


def _speakers(predictions: Predictions) -> list[str]:
    return sorted({row.speaker for row in predictions.rows} - {""})


def with_temperature(predictions: Predictions, temperature: float) -> Predictions:
    """The predictions with the logits divided by `temperature` once more."""
    return replace(predictions, probabilities=softmax(_logits(predictions) / temperature, axis=1).astype(np.float32))


def _logits(predictions: Predictions) -> NDArray[np.float64]:
    return np.log(np.maximum(predictions.probabilities.astype(np.float64), _SMALLEST))


def reliability(predictions: Predictions) -> list[Bin]:
    """The clips in `BINS` bins of equal width by confidence, without empty bins."""
    numbers = np.minimum((predictions.confidences * BINS).astype(int), BINS - 1)
    bins = []
    for number in np.unique(numbers):
        inside = numbers == number
        confidence, accuracy = predictions.confidences[inside].mean(), predictions.right[inside].mean()
        bins.append(Bin(int(inside.sum()), float(confidence), float(accuracy)))
    return bins


def expected_calibration_error(predictions: Predictions) -> float:
    """The mean distance between confidence and accuracy over the bins, weighted by clips (Naeini et al. 2015)."""
    found = reliability(predictions)
    distances = sum(one.clips * abs(one.confidence - one.accuracy) for one in found)
    return distances / sum(one.clips for one in found)


def risk_coverage(predictions: Predictions) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coverage (fraction of clips answered, most confident first) and risk (fraction of those that is wrong), per clip.

    El-Yaniv R, Wiener Y (2010). On the Foundations of Noise-free Selective Classification. JMLR 11: 1605-1641.
    """
    by_confidence = np.argsort(-predictions.confidences, kind="stable")
    answered = np.arange(1, len(by_confidence) + 1)
    return answered / len(by_confidence), np.cumsum(~predictions.right[by_confidence]) / answered


def threshold(predictions: Predictions) -> float:
    """The confidence that a fraction `COVERAGE` of the clips reaches; below it, `uncertain` is the better answer."""
    return float(np.quantile(predictions.confidences, 1 - COVERAGE))


@dataclass(frozen=True)
class Calibrated:
    """Predictions for clips on which neither the temperature nor the threshold was fitted.

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
    """Calibration metrics of one fold, or of several together."""
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

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax

from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.evaluation.calibration import (
    Calibrated,
    calibration,
    choose_temperature,
    expected_calibration_error,
    fit_temperature,
    has_one_speaker,
    reliability,
    risk_coverage,
    threshold,
    with_temperature,
)
from ser_images.train.evaluation.predictions import Predictions, joined

N = 6000


def calibrated(image_set: ImageSet, temperature: float, n: int = N, seed: int = 0) -> Predictions:
    """Labels drawn from the predicted probabilities, whose logits are then multiplied by `temperature`."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, len(image_set.labels)))
    true = [rng.choice(image_set.labels, p=probabilities) for probabilities in softmax(logits, axis=1)]
    rows = tuple(replace(image_set.rows[0], label=label) for label in true)
    return Predictions(rows, image_set.labels, softmax(logits * temperature, axis=1).astype(np.float32))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_is_found_and_calibrates(images: ImageSet, temperature: float) -> None:
    validation, test = calibrated(images, temperature, seed=1), calibrated(images, temperature, seed=2)
    found = fit_temperature(validation)
    assert found == pytest.approx(temperature, rel=0.05)
    after = with_temperature(test, found)
    assert np.array_equal(after.predicted, test.predicted)
    assert after.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert expected_calibration_error(after) < 0.025
    if temperature != 1:
        assert expected_calibration_error(test) > 0.08
    assert with_temperature(after, 1 / found).probabilities == pytest.approx(test.probabilities, abs=1e-4)


def test_a_few_correct_clips_give_no_extreme_temperature(images: ImageSet) -> None:
    confident = np.full((3, len(images.labels)), 0.01, np.float32)
    confident[:, images.labels.index(images.rows[0].label)] = 1 - 0.01 * (len(images.labels) - 1)
    right = Predictions((images.rows[0],) * 3, images.labels, confident)
    assert fit_temperature(right) == pytest.approx(0.25, abs=0.01)
    wrong = replace(right, rows=(next(row for row in images.rows if row.label != images.rows[0].label),) * 3)
    assert fit_temperature(wrong) == pytest.approx(4, abs=0.01)


def spoken_by(speaker: str, predictions: Predictions) -> Predictions:
    return replace(predictions, rows=tuple(replace(row, speaker=speaker) for row in predictions.rows))


def test_a_temperature_must_help_other_speakers(images: ImageSet) -> None:
    alike = [spoken_by(name, calibrated(images, 2.0, 300, seed)) for seed, name in enumerate(("a", "b", "c"))]
    assert choose_temperature(joined(alike)) == fit_temperature(joined(alike)) > 1.5
    unlike = [spoken_by("a", calibrated(images, 3.0, 300)), spoken_by("b", calibrated(images, 0.5, 300, 1))]
    assert abs(np.log(fit_temperature(joined(unlike)))) > 0.05
    assert choose_temperature(joined(unlike)) == 1


def test_no_temperature_from_fewer_than_two_speakers(images: ImageSet) -> None:
    one = spoken_by("a", calibrated(images, 3.0, 300))
    assert fit_temperature(one) > 2
    assert has_one_speaker(one)
    assert choose_temperature(one) == 1.0
    nameless = spoken_by("", one)
    assert not has_one_speaker(nameless)
    assert choose_temperature(nameless) == fit_temperature(nameless)


@pytest.fixture
def four(images: ImageSet) -> Predictions:
    """Two labels; confidences 0.9, 0.8, 0.7, 0.6, the second wrong."""
    calm = next(row for row in images.rows if row.label == "calm")
    sad = next(row for row in images.rows if row.label == "sad")
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]], np.float32)
    return Predictions((calm, calm, calm, sad), ("calm", "sad"), probabilities)


def test_calibration_metrics_by_hand(four: Predictions) -> None:
    bins = reliability(four)
    assert [one.clips for one in bins] == [1, 1, 1, 1]
    assert [one.confidence for one in bins] == pytest.approx([0.6, 0.7, 0.8, 0.9])
    assert [one.accuracy for one in bins] == [1, 1, 0, 1]
    assert expected_calibration_error(four) == pytest.approx((0.4 + 0.3 + 0.8 + 0.1) / 4)
    coverage, risk = risk_coverage(four)
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1]
    assert risk == pytest.approx([0, 1 / 2, 1 / 3, 1 / 4])
    assert threshold(four) == pytest.approx(0.66)


def test_several_folds_have_their_own_thresholds(four: Predictions) -> None:
    found = calibration([Calibrated(four, 1.0, 0.75), Calibrated(with_temperature(four, 2), 2.0, 0.0)])
    assert found["answered"] == (2 + 4) / 8
    assert found["accuracy_of_answered"] == (1 + 3) / 6
    assert (found["temperature"], found["uncertain_below"]) == ([1, 2], [0.75, 0])
    assert found["ece_before"] == pytest.approx(expected_calibration_error(four))
    assert sum(one["clips"] for one in found["reliability"]) == 8


def test_no_clip_reaches_the_threshold(four: Predictions) -> None:
    found = calibration([Calibrated(four, 1.0, 0.99)])
    assert (found["answered"], found["accuracy_of_answered"]) == (0, None)

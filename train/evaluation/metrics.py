"""From probabilities to metrics."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, classification_report, confusion_matrix, f1_score

from ser_images.data.common.text import counted
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.manifest import ManifestRow
from ser_images.train.evaluation.groups import groups_of_card
from ser_images.train.evaluation.intervals import MIN_SPEAKERS, interval_method, intervals
from ser_images.train.evaluation.predictions import Predictions
from ser_images.train.evaluation.uar import uar


def predict(learner: Any, image_set: ImageSet, rows: Sequence[ManifestRow], temperature: float = 1.0) -> Predictions:
    """The learner's probabilities for these images, its logits divided by the temperature."""
    loader = learner.dls.test_dl([image_set.folder / row.image for row in rows])
    with learner.no_bar():
        logits, _ = learner.get_preds(dl=loader, act=torch.nn.Identity())
    return Predictions(tuple(rows), image_set.labels, torch.softmax(logits / temperature, dim=1).numpy())


def metrics(predictions: Predictions) -> dict[str, Any]:
    """Accuracy, unweighted average recall and F1 with their intervals, the metrics of each label, and confusion."""
    targets, predicted = predictions.targets, predictions.predicted
    report, speakers = _report(predictions, output_dict=True), _speakers(predictions)
    clips = [row.clip for row in predictions.rows]
    return {
        "clips": len(targets),
        "accuracy": float(accuracy_score(targets, predicted)),
        "uar": uar(targets, predicted),
        "macro_f1": float(f1_score(targets, predicted, average="macro", zero_division=0)),
        "weighted_f1": float(f1_score(targets, predicted, average="weighted", zero_division=0)),
        "interval_method": interval_method(speakers),
        "intervals": intervals(speakers, targets, predicted, len(predictions.labels), clips),
        "labels": {
            label: {
                "precision": report[label]["precision"],
                "recall": report[label]["recall"],
                "f1": report[label]["f1-score"],
                "support": int(report[label]["support"]),
            }
            for label in predictions.labels
        },
        "confusion": confusion(predictions).tolist(),
        **groups_of_card(predictions),
    }


def report_text(predictions: Predictions) -> str:
    """The classification report of scikit-learn, the unweighted average recall, and a warning for few speakers."""
    recall = uar(predictions.targets, predictions.predicted)
    text = f"{_report(predictions, digits=3)}\nunweighted average recall (UAR) {recall:.3f}\n"
    return text + _few_speakers_warning(_speakers(predictions))


def _few_speakers_warning(speakers: Sequence[str]) -> str:
    if interval_method(speakers) == "speakers":
        return ""
    return (
        f"warning: {counted(len(set(speakers)), 'test speaker')}: intervals over speakers need {MIN_SPEAKERS}; those "
        f"in metrics.json are binomial, and do not cover how speakers differ\n"
    )


def _speakers(predictions: Predictions) -> list[str]:
    """The speaker of each clip; a clip without one counts as a speaker of its own."""
    return [row.speaker or row.clip for row in predictions.rows]


def confusion(predictions: Predictions) -> NDArray[np.int64]:
    """Counts, shape (labels, labels): rows are true labels, columns predicted ones."""
    labels = range(len(predictions.labels))
    counts: NDArray[np.int64] = confusion_matrix(predictions.targets, predictions.predicted, labels=labels)
    return counts


def _report(predictions: Predictions, **options: Any) -> Any:
    return classification_report(
        predictions.targets, predictions.predicted, labels=range(len(predictions.labels)),
        target_names=predictions.labels, zero_division=0, **options,
    )  # fmt: skip

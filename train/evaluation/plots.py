"""Plots of a run; each function returns one figure."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import ConfusionMatrixDisplay

from ser_images.data.common.paths import resolve_below
from ser_images.data.common.text import plot_text
from ser_images.train.evaluation.calibration import risk_coverage as coverage_and_risk
from ser_images.train.evaluation.predictions import Predictions


def confusion_matrix(counts: NDArray[np.int64], labels: Sequence[str]) -> Figure:
    """Counts of clips by true and predicted label; the colour is the fraction of the row."""
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 2.5 + 0.55 * len(labels)
    figure = Figure(figsize=(size + 1, size), layout="constrained")
    axes = figure.subplots()
    display = ConfusionMatrixDisplay(fractions, display_labels=list(map(plot_text, labels)))
    display.plot(ax=axes, cmap="Blues", include_values=False, xticks_rotation=45, im_kw={"vmin": 0, "vmax": 1})
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if fractions[row, column] > 0.5 else "black"
        axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=9)
    axes.set(xlabel="predicted", ylabel="true", title="Clips by true and predicted label; colour: fraction of the row")
    return figure


def curves(history: Sequence[Mapping[str, float]]) -> Figure:
    """Losses and validation metrics over epochs; the training loss alone of a training without validation."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    losses, metrics = figure.subplots(1, 2)
    epochs = range(1, len(history) + 1)
    for name, axes in (("train_loss", losses), ("valid_loss", losses), ("accuracy", metrics), ("uar", metrics)):
        if name in history[0]:
            axes.plot(epochs, [row[name] for row in history], marker=".", label=name.replace("_", " "))
            axes.legend()
    losses.set(xlabel="epoch", ylabel="cross entropy (nats)", title="Loss")
    metrics.set(xlabel="epoch", ylabel="accuracy, UAR", title="Validation", ylim=(0, 1))
    return figure


def top_losses(predictions: Predictions, folder: Path, most: int = 12) -> Figure:
    """The images of the worst mistakes: wrong label, highest cross entropy first.

    Args:
        folder: of the image set.

    Raises:
        UserError: the path of an image leads out of `folder`.
    """
    worst = predictions.mistakes[:most]
    figure = Figure(figsize=(12, 3.3 * max(1, -(-len(worst) // 4))), layout="constrained")
    if not len(worst):
        figure.suptitle("No mistakes: every clip has the right label")
        return figure
    for axes in figure.subplots(-(-len(worst) // 4), 4, squeeze=False).flat:
        axes.set_axis_off()
    for axes, index in zip(figure.axes, worst, strict=False):
        row, predicted = predictions.rows[index], predictions.predicted[index]
        with Image.open(resolve_below(folder, row.image, Path("predictions.csv"))) as image:
            axes.imshow(np.asarray(image), cmap="magma")
        probability = f"{predictions.probabilities[index, predicted]:.0%}"
        label = plot_text(f"{row.label}, predicted {predictions.labels[predicted]} ({probability})")
        axes.set_title(f"{plot_text(row.clip)}\n{label}", fontsize=9)
    figure.suptitle("Worst mistakes (horizontal: time; vertical: feature rows, the first at the bottom)")
    return figure


def reliability(calibration: Mapping[str, Any]) -> Figure:
    """Reliability diagram: accuracy over confidence; the size of a point is the number of clips in its bin."""
    bins = calibration["reliability"]
    figure = Figure(figsize=(5, 4.4), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", linestyle="--", label="perfect calibration")
    most = max(one["clips"] for one in bins)
    confidences, accuracies = [one["confidence"] for one in bins], [one["accuracy"] for one in bins]
    axes.plot(confidences, accuracies, color="C0", linewidth=1)
    axes.scatter(confidences, accuracies, [20 + 180 * one["clips"] / most for one in bins], color="C0")
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    axes.set_title(f"Calibration error {calibration['ece']:.1%}, uncalibrated {calibration['ece_before']:.1%}")
    axes.legend(loc="upper left")
    return figure


def risk_coverage(predictions: Predictions) -> Figure:
    """Risk-coverage curve: the fraction of wrong answers over the fraction of clips answered, most confident first."""
    figure = Figure(figsize=(5, 4.4), layout="constrained")
    axes = figure.subplots()
    axes.plot(*coverage_and_risk(predictions), color="C3")
    axes.set(xlabel="coverage: clips answered, most confident first", ylabel="risk: wrong answers", xlim=(0, 1))
    axes.set_ylim(0, None)
    axes.set_title("Risk and coverage")
    return figure

"""Plots of a run; each function returns one figure."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import ConfusionMatrixDisplay

from ser_images.train.evaluation.calibration import risk_coverage as coverage_and_risk
from ser_images.train.evaluation.predictions import Predictions
from ser_images.train.evaluation.published_results import HUMAN_LISTENERS, PublishedResult


def confusion_matrix(counts: NDArray[np.int64], labels: Sequence[str]) -> Figure:
    """Counts of clips by true and predicted label; the colour is the fraction of the row."""
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 2.5 + 0.55 * len(labels)
    figure = Figure(figsize=(size + 1, size), layout="constrained")
    axes = figure.subplots()
    display = ConfusionMatrixDisplay(fractions, display_labels=labels)
    display.plot(ax=axes, cmap="Blues", include_values=False, xticks_rotation=45, im_kw={"vmin": 0, "vmax": 1})
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if fractions[row, column] > 0.5 else "black"
        axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=9)
    axes.set(xlabel="predicted", ylabel="true", title="Clips by true and predicted label; colour: fraction of the row")
    return figure


def curves(history: Sequence[Mapping[str, float]]) -> Figure:
    """Losses and validation metrics over epochs."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    losses, metrics = figure.subplots(1, 2)
    epochs = range(1, len(history) + 1)
    for name, axes in (("train_loss", losses), ("valid_loss", losses), ("accuracy", metrics), ("uar", metrics)):
        axes.plot(epochs, [row[name] for row in history], marker=".", label=name.replace("_", " "))
    losses.set(xlabel="epoch", ylabel="cross entropy (nats)", title="Loss")
    metrics.set(xlabel="epoch", ylabel="accuracy, UAR", title="Validation", ylim=(0, 1))
    for axes in (losses, metrics):
        axes.legend()
    return figure


def top_losses(predictions: Predictions, folder: Path, most: int = 12) -> Figure:
    """The pictures that the network was most wrong about, with what it said."""
    worst = np.argsort(-predictions.losses)[:most]
    rows = -(-len(worst) // 4)
    figure = Figure(figsize=(12, 3.3 * rows), layout="constrained")
    grid = figure.subplots(rows, 4, squeeze=False).flat
    for axes in grid:
        axes.set_axis_off()
    for axes, index in zip(figure.axes, worst, strict=False):
        row, said = predictions.rows[index], predictions.predicted[index]
        axes.imshow(np.asarray(Image.open(folder / row.image)), cmap="magma")
        certainty = predictions.probabilities[index, said]
        title = f"{row.clip}\n{row.label}, said {predictions.labels[said]} {certainty:.0%}"
        axes.set_title(title, fontsize=9)
    figure.suptitle("Highest losses (columns: time, rows: mel bands, low at the bottom)")
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


def standing(figures: Mapping[str, Any], published: Sequence[PublishedResult]) -> Figure:
    """This run's accuracy and UAR beside published figures; a line marks human listeners."""
    names = {"accuracy": "accuracy", "uar": "UAR"}
    ours = [(f"this run, {text}", figures[name], figures["intervals"][name]) for name, text in names.items()]
    theirs = [(f"{one.what}, {names[one.figure]}", one.value) for one in published if one is not HUMAN_LISTENERS]
    figure = Figure(figsize=(9, 1.3 + 0.36 * (len(ours) + len(theirs))), layout="constrained")
    axes = figure.subplots()
    for name, value, (low, high) in ours:
        axes.barh(name, value, color="C0", xerr=[[value - low], [high - value]], capsize=3)
    for name, value in theirs:
        axes.barh(name, value, color="0.75")
    label = f"human listeners {HUMAN_LISTENERS.percent}"
    axes.axvline(HUMAN_LISTENERS.value, color="C1", linestyle="--", label=label)
    axes.invert_yaxis()
    axes.set(xlabel="share", xlim=(0, 1))
    axes.legend(loc="lower right")
    return figure


def robustness(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """UAR under each condition beside that of the recordings as they are."""
    figure = Figure(figsize=(8, 1.2 + 0.32 * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.barh([row["condition"] for row in rows], [row["uar"] for row in rows], color="C0")
    axes.axvline(rows[0]["uar"], color="0.4", linestyle="--")
    axes.invert_yaxis()
    axes.set(xlabel="UAR", xlim=(0, 1))
    return figure


def leaderboard(rows: Sequence[tuple[str, Mapping[str, Any], PublishedResult | None]]) -> Figure:
    """Accuracy by (name, figures, what was published), with its interval; a diamond is what was published."""
    figure = Figure(figsize=(9, 1.4 + 0.34 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for place, (_, figures, published) in enumerate(rows):
        accuracy, (low, high) = figures["accuracy"], figures["intervals"]["accuracy"]
        colour = "0.7" if published else "C0"
        axes.barh(place, accuracy, color=colour, xerr=[[accuracy - low], [high - accuracy]], capsize=3)
    told = [(published.value, place) for place, (_, _, published) in enumerate(rows) if published]
    if told:
        axes.plot(*zip(*told, strict=True), "D", color="C3", label="as published")
        axes.legend(loc="lower right")
    axes.axvline(HUMAN_LISTENERS.value, color="C1", linestyle="--")
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axes.invert_yaxis()
    axes.set(xlabel="accuracy; dashed: human listeners, who know no speaker", xlim=(0, 1))
    return figure

"""Plots that compare runs, corruptions and published results; each function draws one figure and returns it."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ser_images.train.evaluation.published_results import HUMAN_LISTENERS, PublishedResult
from ser_images.train.runs.results import read_interval

NAMES = {
    "accuracy": "accuracy", "uar": "UAR (unweighted average recall)", "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
}  # fmt: skip
"""The metrics as reports write them."""


def published_comparison(metrics: Mapping[str, Any], published: Sequence[PublishedResult]) -> Figure:
    """This run's accuracy and UAR with intervals, and published results below; a line marks human listeners."""
    others = [one for one in published if one is not HUMAN_LISTENERS]
    figure = Figure(figsize=(9, 2 + 0.36 * len(others)), layout="constrained")
    axes = figure.subplots()
    for name, text in (("accuracy", "accuracy"), ("uar", "UAR")):
        _bar(axes, f"this run, {text}", metrics, name, "C0")
    for one in others:
        axes.barh(f"{one.what}, {'UAR' if one.figure == 'uar' else one.figure}", one.value, color="0.75")
    label = f"human listeners {HUMAN_LISTENERS.percent}"
    axes.axvline(HUMAN_LISTENERS.value, color="C1", linestyle="--", label=label)
    axes.invert_yaxis()
    axes.set(xlabel="accuracy or UAR", xlim=(0, 1))
    axes.legend(loc="lower right")
    return figure


def robustness(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """UAR under each corruption; a line marks the clean recordings, which are the first row."""
    figure = Figure(figsize=(8, 1.2 + 0.32 * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.barh([row["corruption"] for row in rows], [row["uar"] for row in rows], color="C0")
    axes.axvline(rows[0]["uar"], color="0.4", linestyle="--")
    axes.invert_yaxis()
    axes.set(xlabel="UAR", xlim=(0, 1))
    return figure


def leaderboard(rows: Sequence[tuple[str, Mapping[str, Any], PublishedResult | None]]) -> Figure:
    """Accuracy with its interval, a bar per run; a diamond marks the published accuracy.

    Args:
        rows: name, metrics and published result of each run.
    """
    figure = Figure(figsize=(9, 1.4 + 0.34 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for position, (_, metrics, published) in enumerate(rows):
        _bar(axes, position, metrics, "accuracy", "0.7" if published else "C0")
    diamonds = [(published.value, position) for position, (_, _, published) in enumerate(rows) if published]
    if diamonds:
        axes.plot(*zip(*diamonds, strict=True), "D", color="C3", label="as published")
        axes.legend(loc="lower right")
    axes.axvline(HUMAN_LISTENERS.value, color="C1", linestyle="--")
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axes.invert_yaxis()
    axes.set(xlabel="accuracy; dashed line: human listeners, unseen speakers", xlim=(0, 1))
    return figure


def _bar(axes: Any, position: str | int, metrics: Mapping[str, Any], name: str, colour: str) -> None:
    value, interval = metrics[name], read_interval(metrics, name)
    error = [[max(0, value - interval[0])], [max(0, interval[1] - value)]] if interval else None
    axes.barh(position, value, color=colour, xerr=error, capsize=3)


def cross(cells: Sequence[Any]) -> Figure:
    """UAR of each training (rows) on each corpus (columns), plain and, where there is one, adapted online.

    Args:
        cells: of type `ser_images.train.analysis.matrix.Cell`.
    """
    trained, tested = (list(dict.fromkeys(getattr(cell, name) for cell in cells)) for name in ("trained", "tested"))
    values = {"plain": "uar", "adapted online": "online"}
    shown = {title: name for title, name in values.items() if any(getattr(cell, name) is not None for cell in cells)}
    figure = Figure(figsize=(2 + 2.2 * len(tested) * len(shown), 1.6 + 0.45 * len(trained)), layout="constrained")
    for axes, (title, name) in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown.items(), strict=True):
        grid = np.full((len(trained), len(tested)), np.nan)
        for cell in cells:
            value = getattr(cell, name)
            grid[trained.index(cell.trained), tested.index(cell.tested)] = np.nan if value is None else value
        axes.imshow(grid, vmin=0, vmax=1, cmap="Blues", aspect="auto")
        for (row, column), value in np.ndenumerate(grid):
            text = "" if np.isnan(value) else f"{value:.1%}"
            axes.text(column, row, text, ha="center", va="center", color="white" if value > 0.6 else "black")
        axes.set_xticks(range(len(tested)), tested)
        axes.set_yticks(range(len(trained)), trained)
        axes.set(title=f"UAR, {title}", xlabel="tested on", ylabel="trained on")
    return figure


def svg(figure: Figure) -> str:
    """A figure as an `<svg>` element."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()[file.getvalue().index("<svg") :]

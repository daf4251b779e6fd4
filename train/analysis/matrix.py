"""The matrix of a cross-corpus evaluation: the metrics of each training on each corpus, as a table and as a page.

cells = read_cells(Path("runs/cross"), ["nemo", "ravdess", "all"], ["nemo", "ravdess"], [0])
write_cells(cells, Path("runs/cross/cross.csv"))
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import product
from pathlib import Path

from ser_images.data.common.folders import file_moved_into_place
from ser_images.train.analysis import plots
from ser_images.train.analysis.pages import write_page
from ser_images.train.evaluation.adaptation import (
    ADAPTATION,
    ONLINE_RANDOM,
    adaptation_metrics,
    enrolled_with,
    read_labels,
)
from ser_images.train.evaluation.metrics import metrics
from ser_images.train.evaluation.predictions import Predictions, joined
from ser_images.train.runs.records import write_csv
from ser_images.train.runs.results import FOLD, PREDICTIONS

ALL, WITHOUT = "all", "without-{}"
_WITHOUT = WITHOUT.format("")


@dataclass(frozen=True)
class Cell:
    """The metrics of one training on the test clips of one corpus, which are the same in every row of the matrix.

    Attributes:
        trained, tested: names of corpora; the first also `all`, or `without-NAME`.
        clips, speakers, labels: that were scored: clips of labels that both have.
        low, high: 95 % interval of `uar`.
        online: UAR adapted online to each speaker, in random order; None where the model cannot adapt.
        enrolled: UAR with ten clips of each speaker enrolled; None likewise.
    """

    trained: str
    tested: str
    folds: int
    clips: int
    speakers: int
    labels: int
    accuracy: float
    uar: float
    low: float
    high: float
    online: float | None = None
    enrolled: float | None = None

    @property
    def own(self) -> bool:
        """Whether the training had clips of the tested corpus."""
        without = self.trained.startswith(_WITHOUT) and self.trained != WITHOUT.format(self.tested)
        return self.trained in (self.tested, ALL) or without


def tested_folder(training: Path, corpus: str, fold: int) -> Path:
    """The folder of a training's predictions for one fold of a corpus."""
    return training / f"on-{corpus}" / FOLD.format(fold)


def read_cells(out: Path, trainings: Sequence[str], corpora: Sequence[str], folds: Sequence[int]) -> list[Cell]:
    """The cells of the predictions in `out`; none where a training could not be tested."""
    cells = (_read_cell(out / trained, trained, tested, folds) for trained, tested in product(trainings, corpora))
    return [cell for cell in cells if cell]


def _read_cell(training: Path, trained: str, tested: str, folds: Sequence[int]) -> Cell | None:
    tests = [test for fold in folds if (test := tested_folder(training, tested, fold)).exists()]
    if not tests:
        return None  # a corpus of one speaker, who is never tested
    predictions = joined([Predictions.read(test / PREDICTIONS) for test in tests])
    adapted = [one for test in tests for one in read_labels(test / ADAPTATION)]
    conditions = adaptation_metrics(adapted)
    found, online, enrolled = metrics(predictions), conditions.get(ONLINE_RANDOM), conditions.get(enrolled_with(10))
    low, high = found["intervals"]["uar"]
    return Cell(
        trained, tested, len(tests), len(predictions.rows), len({row.speaker for row in predictions.rows}),
        len(predictions.labels), found["accuracy"], found["uar"], low, high,
        online["adapted"]["uar"] if online else None, enrolled["adapted"]["uar"] if enrolled else None,
    )  # fmt: skip


def write_cells(cells: Sequence[Cell], path: Path) -> None:
    """Write a line per cell."""
    with file_moved_into_place(path) as file:
        write_csv(file, [field.name for field in fields(Cell)], (vars(cell).values() for cell in cells))


def write_matrix(cells: Sequence[Cell], architecture: str, command: Sequence[str], path: Path) -> None:
    """Write the page."""
    folds = max(cell.folds for cell in cells)
    content = {
        "title": f"{architecture} across corpora",
        "cells": [{**vars(cell), "own": cell.own} for cell in cells],
        "folds": "one fold of each corpus" if folds == 1 else f"{folds} folds of each corpus",
        "figure": plots.svg(plots.cross(cells)),
        "command": " ".join(command),
    }
    write_page("cross.html", content, path)

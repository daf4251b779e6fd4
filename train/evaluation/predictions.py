"""Predictions for labelled clips as one table, in memory and as predictions.csv.

predictions = Predictions.read(Path("runs/first/predictions.csv"))
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ser_images.data.common.csv_file import csv_writer, is_complete
from ser_images.data.common.errors import UserError
from ser_images.spectrogram_gen.dataset.manifest import COLUMNS, ManifestRow

_PREDICTED, _PREFIX = "predicted", "p_"
_MAX_SUM_ERROR = 0.01
"""How far the sum of probabilities, written with six digits, may be from 1."""


@dataclass(frozen=True)
class Predictions:
    """A network's probabilities for some images.

    Attributes:
        rows: the manifest rows of the images.
        labels: the labels, in the order of the columns of `probabilities`.
        probabilities: shape (images, labels), each row of sum 1.
    """

    rows: tuple[ManifestRow, ...]
    labels: tuple[str, ...]
    probabilities: NDArray[np.float32]

    @property
    def targets(self) -> NDArray[np.intp]:
        """The index of each image's true label."""
        return np.array([self.labels.index(row.label) for row in self.rows])

    @property
    def predicted(self) -> NDArray[np.intp]:
        """The index of each image's most probable label."""
        return self.probabilities.argmax(axis=1)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the most probable label is the true one."""
        return np.asarray(self.predicted == self.targets)

    @property
    def confidences(self) -> NDArray[np.float32]:
        """The probability of each image's most probable label."""
        return self.probabilities.max(axis=1)

    @property
    def losses(self) -> NDArray[np.float64]:
        """Cross entropy of each image, in nats."""
        true = self.probabilities[np.arange(len(self.rows)), self.targets]
        return -np.log(np.maximum(true.astype(np.float64), 1e-12))

    @property
    def mistakes(self) -> NDArray[np.intp]:
        """The indices of the images with a wrong label, highest loss first."""
        wrong = np.flatnonzero(~self.right)
        return wrong[np.argsort(-self.losses[wrong], kind="stable")]

    def where(self, condition: Callable[[ManifestRow], bool]) -> "Predictions":
        """The predictions whose row fulfils the condition."""
        kept = [index for index, row in enumerate(self.rows) if condition(row)]
        return replace(self, rows=tuple(self.rows[index] for index in kept), probabilities=self.probabilities[kept])

    def write(self, path: Path) -> None:
        """Write a line per image: the manifest's columns, the predicted label, and `p_LABEL` for each label."""
        header = [*COLUMNS, _PREDICTED, *(_PREFIX + label for label in self.labels)]
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv_writer(file)
            writer.writerow(header)
            for row, label, probabilities in zip(self.rows, self.predicted, self.probabilities, strict=True):
                writer.writerow([*vars(row).values(), self.labels[label], *(f"{one:.6g}" for one in probabilities)])

    @classmethod
    def read(cls, path: Path) -> "Predictions":
        """The table written by `write`; raises UserError where it is missing or damaged."""
        try:
            with path.open(newline="", encoding="utf-8") as file:
                lines = csv.DictReader(file)
                if lines.fieldnames and lines.fieldnames[0] == "picture":  # the column's name up to version 0.1
                    lines.fieldnames = ["image", *lines.fieldnames[1:]]
                labels = tuple(name[len(_PREFIX) :] for name in lines.fieldnames or () if name.startswith(_PREFIX))
                found = [(_row(line), [float(line[_PREFIX + label]) for label in labels]) for line in lines]
            if not found or len(set(labels)) < len(labels) or any(row.label not in labels for row, _ in found):
                raise ValueError("no lines, a label without a column, or with two")
            values = np.array([values for _, values in found], np.float32)
            if not np.all(np.abs(values.sum(axis=1) - 1) < _MAX_SUM_ERROR) or (values < 0).any():
                raise ValueError("no probabilities in a line")
        except (OSError, UserError, ValueError, KeyError, TypeError, csv.Error) as error:
            raise UserError(f"{path}: cannot be read as predictions ({error}); train the run again") from error
        return cls(tuple(row for row, _ in found), labels, values)


def joined(parts: Sequence[Predictions]) -> Predictions:
    """The predictions of several folds as one; raises UserError where their labels differ."""
    if len({part.labels for part in parts}) > 1:
        raise UserError("the folds have different labels; give runs on the same image set")
    rows = tuple(row for part in parts for row in part.rows)
    return Predictions(rows, parts[0].labels, np.concatenate([part.probabilities for part in parts]))


def _row(line: dict[str, str]) -> ManifestRow:
    if not is_complete(line):
        raise ValueError("a line with more or fewer columns")
    row = ManifestRow(**{name: line[name] for name in COLUMNS})
    row.require_readable()
    return row

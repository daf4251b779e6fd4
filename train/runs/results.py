"""Finished runs, read back: one fold, or the folds of a cross-validation.

result = Result.read(Path("runs/resnet34-speaker"))
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ser_images.data.common.errors import UserError, errors_name
from ser_images.train.evaluation.calibration import Calibrated, calibration
from ser_images.train.evaluation.metrics import metrics
from ser_images.train.evaluation.predictions import Predictions, joined
from ser_images.train.training.config import TrainConfig

FOLD = "fold-{}"
_KIND = ("config", "protocol", "spec_hash", "clips_hash")
FIGURES = ("accuracy", "uar", "macro_f1", "weighted_f1")


@dataclass(frozen=True)
class Fold:
    """One training's folder.

    Attributes:
        provenance: the content of `run.json`.
        figures: the content of `metrics.json`.
        history: the figures of each epoch.
        predictions: of the clips that the figures are of.
    """

    folder: Path
    provenance: Mapping[str, Any]
    figures: Mapping[str, Any]
    history: Sequence[Mapping[str, float]]
    predictions: Predictions

    @classmethod
    def read(cls, folder: Path) -> "Fold":
        """A run's folder; raises UserError where it is none, or damaged."""
        provenance, figures = read_provenance(folder), read_json(folder / "metrics.json")
        try:
            with (folder / "history.csv").open(newline="") as file:
                history = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{folder / 'history.csv'}: cannot be read ({error}); train the run again") from error
        if "calibration" not in figures or not {*_KIND, "fold", "corpora", "duration_s"} <= provenance.keys():
            raise UserError(f"{folder}: a run of an older version, without calibration; train it again")
        return cls(folder, provenance, figures, history, Predictions.read(folder / "predictions.csv"))

    @property
    def number(self) -> int:
        """Which fold of its protocol it is."""
        return int(self.provenance["fold"])

    @property
    def kind(self) -> str:
        """Equal where recipe, seed, protocol, pictures and reported side are: such folds belong together."""
        told = [self.provenance[name] for name in _KIND]
        return json.dumps([*told, self.figures["side"]], sort_keys=True)

    @property
    def calibrated(self) -> Calibrated:
        """Its predictions with the temperature and the threshold that its validation clips chose."""
        found = self.figures["calibration"]
        return Calibrated(self.predictions, found["temperature"][0], found["uncertain_below"][0])


@dataclass(frozen=True)
class Result:
    """One fold or several of the same protocol and recipe."""

    path: Path
    folds: tuple[Fold, ...]

    @classmethod
    def read(cls, path: Path) -> "Result":
        """A run's folder, or a folder of `fold-N`.

        Raises:
            UserError: neither, a fold that is damaged, or folds that don't belong together.
        """
        if (path / "run.json").is_file():
            return cls(path, (Fold.read(path),))
        folders = sorted(path.glob(FOLD.format("[0-9]*")), key=lambda folder: int(folder.name.rpartition("-")[2]))
        if not folders:
            raise UserError(f"{path}: no run of ser-train (neither run.json nor fold-0 is there); give a run's folder")
        folds = tuple(Fold.read(folder) for folder in folders)
        if len({fold.kind for fold in folds}) > 1:
            raise UserError(f"{path}: holds folds of different recipes, protocols or pictures; keep each in its own")
        return cls(path, folds)

    @property
    def predictions(self) -> Predictions:
        """Of all folds, which test every clip once."""
        return joined([fold.predictions for fold in self.folds])

    @property
    def figures(self) -> dict[str, Any]:
        """Of all clips together, of each fold, and the mean over folds with its standard deviation."""
        found = {name: [fold.figures[name] for fold in self.folds] for name in FIGURES}
        return {
            "side": self.folds[0].figures["side"],
            **metrics(self.predictions),
            "calibration": calibration([fold.calibrated for fold in self.folds]),
            "mean_of_folds": {name: float(np.mean(values)) for name, values in found.items()},
            "sd_of_folds": {
                name: float(np.std(values, ddof=1)) if len(values) > 1 else None for name, values in found.items()
            },
            "folds": [
                {"fold": fold.number, "clips": fold.figures["clips"], "duration_s": fold.provenance["duration_s"]}
                | {name: fold.figures[name] for name in (*FIGURES, "intervals")}
                for fold in self.folds
            ],
        }


def read_provenance(folder: Path) -> dict[str, Any]:
    """The content of a run's `run.json`; raises UserError where it is missing or damaged."""
    content = read_json(folder / "run.json")
    if config := content.pop("config", None) or content.pop("recipe", None):  # `recipe` in older runs
        with errors_name(folder / "run.json"):
            content["config"] = asdict(TrainConfig.from_dict(config).resolved())
    return content


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file of a run; raises UserError where it is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("no object")
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); give a run's folder, or train the run again") from error
    return content

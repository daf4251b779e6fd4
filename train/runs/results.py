"""Finished runs, read from their folders: one fold, or the folds of a cross-validation.

result = Result.read(Path("runs/resnet34-speaker"))
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ser_images.data.common.errors import UserError, prefix_errors
from ser_images.data.common.facts import (
    COUNT,
    NUMBER,
    OBJECT,
    POSITIVES,
    SHARE,
    TEXT,
    TEXTS,
    Facts,
    Kind,
    require_facts,
)
from ser_images.export.bundle.bundle import ESTIMATED_BY
from ser_images.export.bundle.run_card import read_json
from ser_images.train.evaluation.adaptation import ADAPTATION, adaptation_metrics, read_labels
from ser_images.train.evaluation.calibration import Calibrated, calibration
from ser_images.train.evaluation.metrics import metrics as compute_metrics
from ser_images.train.evaluation.predictions import Predictions, joined
from ser_images.train.training.config import PRETRAINED_TAGS, TrainConfig

FOLD = "fold-{}"
PREDICTIONS = "predictions.csv"
METRICS = ("accuracy", "uar", "macro_f1", "weighted_f1")
_BEFORE_PROBES = {"linear_probe": False, "adapt": "none", "refit": False, "corpus_heads": False}
"""What runs of older versions did, which did not record it."""
_FOLD = Kind(lambda value: value == "all" or COUNT.fits(value), "a count, or all for a final model")
_RUN_FACTS: Facts = {("fold",): _FOLD, ("duration_s",): NUMBER, ("corpora",): TEXTS, ("protocol",): TEXT}
_METRICS_FACTS: Facts = {
    ("subset",): TEXT, ("clips",): COUNT, ("intervals",): OBJECT, ("calibration", "temperature"): POSITIVES,
    ("calibration", "uncertain_below"): POSITIVES, **{(name,): SHARE for name in METRICS},
}  # fmt: skip
_SETUP = ("config", "protocol", "spec_hash", "clips_hash")


def config_of_fold(config: TrainConfig, fold: int) -> TrainConfig:
    """The config for one fold: where its weights or its teacher are a folder of folds, the run of that fold.

    Raises:
        UserError: the folder has folds, and not this one.
    """
    return replace(
        config,
        weights=_run_of_fold("--weights", config.weights, fold),
        teacher=_run_of_fold("--teacher", config.teacher, fold),
    )


def _run_of_fold(option: str, value: str, fold: int) -> str:
    folder = Path(value)
    if value in ("", *PRETRAINED_TAGS) or not any(path.is_dir() for path in folder.glob(FOLD.format("[0-9]*"))):
        return value
    if not (folder / FOLD.format(fold)).is_dir():
        raise UserError(f"{option} {value}: has no fold {fold}; train it there too, or give one of its folds")
    return str(folder / FOLD.format(fold))


@dataclass(frozen=True)
class Fold:
    """The folder of one training.

    Attributes:
        provenance: the content of `run.json`.
        metrics: the content of `metrics.json`.
        history: losses and metrics of each epoch.
        predictions: of the clips that the metrics were computed on.
    """

    folder: Path
    provenance: Mapping[str, Any]
    metrics: Mapping[str, Any]
    history: Sequence[Mapping[str, float]]
    predictions: Predictions

    @classmethod
    def read(cls, folder: Path) -> "Fold":
        """The fold in a run folder; raises UserError where files are missing or damaged."""
        provenance, metrics = read_provenance(folder), read_metrics(folder)
        history = _read_history(folder / "history.csv")
        if "calibration" not in metrics or not {*_SETUP, "fold", "corpora", "duration_s"} <= provenance.keys():
            raise UserError(f"{folder}: a run of an older version, without calibration; train it again")
        with prefix_errors(folder / "run.json"):
            require_facts(provenance, _RUN_FACTS, complete=True)
            if provenance["fold"] == "all" and ESTIMATED_BY not in provenance:
                raise UserError(f"fold is 'all', expected a count, or {ESTIMATED_BY} too, as of a final model")
        with prefix_errors(folder / "metrics.json"):
            require_facts(metrics, _METRICS_FACTS, complete=True)
        return cls(folder, provenance, metrics, history, Predictions.read(folder / PREDICTIONS))

    @property
    def number(self) -> int:
        """Its number among the folds of the protocol, from 0."""
        return int(self.provenance["fold"])

    @property
    def is_final(self) -> bool:
        """Whether it was trained on every clip, so that its predictions and metrics are of other networks."""
        return ESTIMATED_BY in self.provenance

    @property
    def setup(self) -> str:
        """Config (with the seed), protocol, images and evaluated subset; folds of one run have the same."""
        return json.dumps([*(self.provenance[name] for name in _SETUP), self.metrics["subset"]], sort_keys=True)

    @property
    def calibrated(self) -> Calibrated:
        """Its predictions with the temperature and the threshold chosen on its validation clips."""
        found = self.metrics["calibration"]
        return Calibrated(self.predictions, found["temperature"][0], found["uncertain_below"][0])


@dataclass(frozen=True)
class Result:
    """A finished run: one fold, or several of the same protocol and config."""

    path: Path
    folds: tuple[Fold, ...]

    @classmethod
    def read(cls, path: Path, final: bool = False) -> "Result":
        """The result in a run folder, or in a folder with `fold-0`, `fold-1`, …

        Args:
            final: also take a final model, which has no test clips of its own.

        Raises:
            UserError: neither, a damaged fold, or folds with different configs, protocols or images.
        """
        if (path / "run.json").is_file():
            fold = Fold.read(path)
            if fold.is_final and not final:
                raise UserError(f"{path}: a final model, which was trained on all clips; give the folder of its folds")
            return cls(path, (fold,))
        folders = sorted(path.glob(FOLD.format("[0-9]*")), key=lambda folder: int(folder.name.rpartition("-")[2]))
        if not folders:
            raise UserError(f"{path}: no run of ser-train (it has neither run.json nor fold-0); give a run folder")
        folds = tuple(Fold.read(folder) for folder in folders)
        if len({fold.setup for fold in folds}) > 1:
            raise UserError(
                f"{path}: its folds have different configs, protocols or images; keep each run in its own folder"
            )
        return cls(path, folds)

    @property
    def predictions(self) -> Predictions:
        """The predictions of all folds; together they test every clip once."""
        return joined([fold.predictions for fold in self.folds])

    @property
    def adaptation(self) -> dict[str, Any]:
        """Metrics of all folds together, adapted to the speakers; empty where a fold has none."""
        found = [read_labels(fold.folder / ADAPTATION) for fold in self.folds]
        return adaptation_metrics([one for fold in found for one in fold]) if all(found) else {}

    @property
    def metrics(self) -> dict[str, Any]:
        """Metrics of all clips pooled, of each fold, and the mean and standard deviation over folds."""
        values = {name: [fold.metrics[name] for fold in self.folds] for name in METRICS}
        return {
            "subset": self.folds[0].metrics["subset"],
            **compute_metrics(self.predictions),
            "calibration": calibration([fold.calibrated for fold in self.folds]),
            **({"adaptation": adaptation} if (adaptation := self.adaptation) else {}),
            "mean_of_folds": {name: float(np.mean(each)) for name, each in values.items()},
            "sd_of_folds": {
                name: float(np.std(each, ddof=1)) if len(each) > 1 else None for name, each in values.items()
            },
            "folds": [
                {"fold": fold.number, "clips": fold.metrics["clips"], "duration_s": fold.provenance["duration_s"]}
                | {name: fold.metrics[name] for name in (*METRICS, "intervals")}
                for fold in self.folds
            ],
        }


def read_interval(metrics: Mapping[str, Any], name: str) -> tuple[float, float] | None:
    """The 95 % interval (low, high) of a metric; None where there is none."""
    interval = metrics["intervals"].get(name)
    return (interval[0], interval[1]) if interval else None


def interval_method(metrics: Mapping[str, Any]) -> str:
    """How the intervals were computed: `speakers` (bootstrap over speakers) or `binomial`."""
    return str(metrics.get("interval_method", "speakers"))


def read_provenance(folder: Path) -> dict[str, Any]:
    """The content of a run's `run.json`; raises UserError where it is missing or damaged."""
    content = _renamed(read_json(folder / "run.json"), {"pictures": "images"})
    if config := content.pop("config", None) or content.pop("recipe", None):  # `recipe` up to version 0.1
        with prefix_errors(folder / "run.json"):
            if not isinstance(config, dict):
                raise UserError(f"config is {config!r}, expected an object")
            config = _BEFORE_PROBES | config
            content["config"] = asdict(TrainConfig.from_dict(config).resolved())
    return content


def read_metrics(folder: Path) -> dict[str, Any]:
    """The content of a run's `metrics.json`; raises UserError where it is missing or damaged."""
    return _renamed(read_json(folder / "metrics.json"), {"side": "subset"})


def _renamed(content: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The content with the keys of version 0.1 renamed."""
    return {names.get(name, name): value for name, value in content.items()}


def _read_history(path: Path) -> list[dict[str, float]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read ({error}); train the run again") from error

"""Hyperparameter search on validation clips: trials of a study, each a training that is not kept.

tune(SearchFile.read(Path("search.toml")), image_set, "speaker", [0], Path("runs/tune-search"), trials=50)
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna
import torch
from filelock import FileLock

from ser_images.data.common.command_line import LOGGER
from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import require_writable
from ser_images.data.leaks import require_no_leak
from ser_images.data.splits import make_split
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.evaluation.metrics import predict
from ser_images.train.evaluation.uar import uar
from ser_images.train.runs.lineage import checked_parent
from ser_images.train.runs.records import identity_of
from ser_images.train.runs.results import config_of_fold
from ser_images.train.runs.run import for_images
from ser_images.train.training.callbacks import Report
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.loaders import subset_rows
from ser_images.train.training.single_training import Job, train_once
from ser_images.train.tuning.pruning import PruneByEpoch
from ser_images.train.tuning.pruning import report as report_step
from ser_images.train.tuning.search_file import SearchFile
from ser_images.train.tuning.study import ERROR, default_storage, ended, open_study
from ser_images.train.tuning.trials import completed, trial_line, write_best, write_trials

_LOCK = ".lock"
"""In the folder of a search: processes that share it make its database and write its files one after the other."""


@dataclass(frozen=True)
class Objective:
    """The mean UAR on the validation clips of some folds, for a trial of Optuna; test folds are not used."""

    search: SearchFile
    image_set: ImageSet
    protocol: str
    folds: tuple[int, ...]
    seed: int
    out: Path

    def __call__(self, trial: optuna.Trial) -> float:
        """The UAR of a trial; raises UserError where its training fails, TrialPruned where it is ended early."""
        # a sampler of its own: neither a second process nor one that resumes draws the same again
        seed = (self.seed + 1_000_003 * trial.number) % 2**32
        trial.study.sampler = optuna.samplers.TPESampler(seed=seed)
        values = {name: one.suggest(trial, name) for name, one in self.search.ranges.items()}
        try:
            return self._mean_uar(trial, self.config(values))
        except (UserError, torch.OutOfMemoryError) as error:
            trial.set_user_attr(ERROR, str(error))
            raise

    def config(self, values: dict[str, Any]) -> TrainConfig:
        """The config of a trial with these values, without what the plain validation metrics do not depend on."""
        config = replace(self.search.config(values, self.seed), adapt="none", refit=False)
        return for_images(config, self.image_set, test=False)

    def _mean_uar(self, trial: optuna.Trial, config: TrainConfig) -> float:
        found: list[float] = []
        for fold in self.folds:
            callbacks = [PruneByEpoch(trial)] if len(self.folds) == 1 else []
            found.append(self._uar(config_of_fold(config, fold), fold, callbacks))
            if len(self.folds) > 1:
                report_step(trial, sum(found) / len(found), len(found))
        return sum(found) / len(found)

    def _uar(self, config: TrainConfig, fold: int, callbacks: Sequence[Any]) -> float:
        rows = self.image_set.rows
        split = make_split(rows, self.protocol, fold, self.seed)
        require_no_leak(rows, split, self.protocol)
        checked_parent(self.image_set, split, self.protocol, config, test=False)
        with tempfile.TemporaryDirectory(prefix=".trial-", dir=self.out) as folder:
            job = Job(self.image_set, Path(folder) / "training", LOGGER.debug)
            trained = train_once(job, split, config, callbacks)
        predictions = predict(trained.learner, self.image_set, subset_rows(self.image_set, split.valid))
        return uar(predictions.targets, predictions.predicted)


def tune(
    search: SearchFile,
    image_set: ImageSet,
    protocol: str,
    folds: Sequence[int],
    out: Path,
    trials: int,
    storage: str = "",
    study_name: str = "",
    pruner: str = "median",
    seed: int = 0,
    report: Report = print,
) -> optuna.Study:
    """Search until the study has so many trials that ended; write `trials.csv` and `best.toml` into `out` after each.

    A trial that fails, as where its loss becomes infinite, counts and is reported. Several processes may work on one
    study; each ends the trial that it has begun, so that there can be a few more.

    Args:
        trials: of the whole study, in all processes.
        storage: URL of a database; empty: a SQLite file in `out`.
        study_name: empty: the name of the search file.
        pruner: `median`, `hyperband` or `none`.

    Raises:
        UserError: images, protocol and search don't fit together, a study with other settings, or no trial succeeded.
    """
    search.recipe.require(image_set)
    objective = Objective(search, image_set, protocol, tuple(folds), seed, out)
    objective.config({})  # refuses a recipe that no trial could train
    for fold in folds:
        require_no_leak(image_set.rows, make_split(image_set.rows, protocol, fold, seed), protocol)
    require_writable(out)
    steps = search.recipe.config.epochs if len(folds) == 1 else len(folds)
    with FileLock(out / _LOCK):
        study = open_study(
            storage or default_storage(out), study_name or search.recipe.name, pruner, steps, _settings(objective)
        )

    def after(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        report(trial_line(study, trial))
        _write(study, objective)

    while len(ended(study)) < trials:
        study.optimize(objective, 1, catch=(UserError, torch.OutOfMemoryError), callbacks=[after])
    _write(study, objective)
    if not completed(study):
        errors = [trial.user_attrs.get(ERROR, "pruned") for trial in ended(study)]
        raise UserError(f"no trial was trained to the end; the first: {errors[0]}")
    return study


def _settings(objective: Objective) -> dict[str, Any]:
    settings = {
        "recipe": objective.search.content,
        "search": objective.search.search,
        "protocol": objective.protocol,
        "folds": objective.folds,
        "seed": objective.seed,
        "images": list(identity_of(objective.image_set).values()),
    }
    return dict(json.loads(json.dumps(settings)))


def _write(study: optuna.Study, objective: Objective) -> None:
    with FileLock(objective.out / _LOCK):
        write_trials(study, list(objective.search.ranges), objective.out / "trials.csv")
        write_best(study, objective.search, objective.protocol, objective.out / "best.toml")

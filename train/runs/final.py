"""The final model: the recipe of a cross-validation once more, on every clip, with the metrics of its folds.

train_final(Path("runs/all"), ImageSet.read(Path("images")), Path("runs/final"))
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import or_
from pathlib import Path
from statistics import median_high
from typing import Any

from ser_images.data.common.errors import UserError
from ser_images.data.lineage import Lineage
from ser_images.data.splits import every_clip, n_folds
from ser_images.export.bundle.bundle import ESTIMATED_BY
from ser_images.export.bundle.model_card import ROBUSTNESS
from ser_images.export.bundle.run_card import ROBUSTNESS_CSV, read_robustness
from ser_images.export.bundle.run_folder import new_run_folder, write_bundle
from ser_images.export.models import open_bundle
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.evaluation.adaptation import ADAPTATION, read_labels
from ser_images.train.evaluation.calibration import choose_temperature, threshold, with_temperature
from ser_images.train.evaluation.metrics import predict
from ser_images.train.evaluation.predictions import joined
from ser_images.train.runs.finished import complete, lacks_onnx, settings_of
from ser_images.train.runs.lineage import write_lineage
from ser_images.train.runs.records import identity_of, provenance, training_summary, write_records
from ser_images.train.runs.results import Result, config_of_fold, read_metrics
from ser_images.train.runs.run import add_checked_onnx, bundle_of, training_record
from ser_images.train.training.adapter_choice import AdapterChoice
from ser_images.train.training.callbacks import Report
from ser_images.train.training.checkpoints.files import Checkpoints
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.loggers.logger import Logger
from ser_images.train.training.outcome import Evaluation
from ser_images.train.training.single_training import Job
from ser_images.train.training.sources import sources_of
from ser_images.train.training.trainer import train_on_all

CHECKED = 200
"""Images that the ONNX file is checked on."""
_TOLERANCE = 0.005
"""UAR of the clean recordings may differ so far from that of the run: images are rendered again."""


def train_final(
    runs: Path,
    image_set: ImageSet,
    out: Path,
    report: Report = print,
    weights: str = "",
    teacher: str = "",
    command: Sequence[str] = (),
    resume: bool = False,
    logger: str = "",
) -> dict[str, Any]:
    """Train on every clip as the folds of a cross-validation were trained; write the run folder `out`.

    The metrics of the new model cannot be measured, since it knows every clip: it has those of its folds, and says so.
    Temperature and threshold are chosen on the predictions of the folds for their test clips; learning rate, number of
    epochs and adapter are the median of the folds', which chose them on validation clips. The folds' metrics with
    corrupted sound, where `ser-train robustness` measured them, are taken over, too.

    Args:
        runs: the folder of `--folds all`.
        image_set: that the folds were trained on.
        weights, teacher: needed where each fold has its own.
        command: the command line to record in `run.json`.
        resume, logger: as of `ser_images.train.runs.run.run`.

    Returns:
        The content of `metrics.json`.

    Raises:
        UserError: not every fold is there, or was tested; other images; weights or a teacher of the folds that are a
            folder of folds; a robustness.csv of other folds; `out` exists; or a checkpoint to resume that is damaged
            or of other settings.
    """
    result = Result.read(runs)
    protocol = _protocol(result, image_set)
    config = _config(result, weights, teacher)
    split = every_clip(image_set.rows)
    parent = reduce(or_, (source.lineage() for source in sources_of(config)))
    estimated = _estimated(result)
    expected = provenance(image_set, split, protocol, 0, config, command) | {"fold": "all"}
    if lacks_onnx(out):
        complete(out, expected, True, image_set, report)
        return read_metrics(out)
    started = time.monotonic()
    checkpoints = Checkpoints.beside(out, settings_of(expected, True), resume)
    with new_run_folder(out) as folder:
        job = Job(image_set, folder, report, checkpoints, Logger.of(logger, out))
        trained = train_on_all(job, split, config, _adapter_choice(result))
        content = expected | training_record(trained, started)
        content |= {ESTIMATED_BY: {"folds": len(result.folds), "path": runs.resolve().name}}
        content["lineage"] = write_lineage(folder, Lineage.of(image_set.rows), parent, config)
        write_records(folder, trained, estimated, content, image_set.folder)
        summary = training_summary(content, estimated.metrics)
        bundle = bundle_of(trained, estimated, config, image_set, summary)
        write_bundle(folder, trained.network, bundle)
    checkpoints.remove()
    checked = predict(trained.learner, image_set, image_set.rows[:CHECKED], bundle.temperature)
    add_checked_onnx(out, trained, checked, bundle, image_set, report)
    report(
        f"estimated by {len(result.folds)} folds: accuracy {estimated.metrics['accuracy']:.1%}, UAR "
        f"{estimated.metrics['uar']:.1%}; temperature {bundle.temperature:.2f}"
    )
    return estimated.metrics


def _protocol(result: Result, image_set: ImageSet) -> str:
    """The protocol of the folds, all of which must be there."""
    first = result.folds[0]
    protocol = str(first.provenance["protocol"])
    identity = identity_of(image_set).items()
    if any(fold.provenance.get(name, value) != value for fold in result.folds for name, value in identity):
        raise UserError(f"{image_set.folder}: not the images that {result.path} was trained on; give those")
    if first.metrics["subset"] != "test" or protocol == "leaky":
        raise UserError(f"{result.path}: its metrics are not of test clips; train the folds without --no-test")
    missing = sorted(set(range(n_folds(image_set.rows, protocol))) - {fold.number for fold in result.folds})
    if missing:
        raise UserError(
            f"{result.path}: fold {missing[0]} is missing, and a final model has the metrics of all folds; train them "
            f"with --folds all"
        )
    return protocol


def _config(result: Result, weights: str, teacher: str) -> TrainConfig:
    """The config of the folds, without what validation clips decide: a final training has none."""
    config = TrainConfig.from_dict(result.folds[0].provenance["config"])
    config = replace(config, weights=weights or config.weights, teacher=teacher or config.teacher)
    of_fold = config_of_fold(config, 0)
    if of_fold.weights != config.weights:
        raise UserError(
            f"{result.path}: each fold started from its own weights; give others for the final model: --weights"
        )
    if of_fold.teacher != config.teacher:
        raise UserError(f"{result.path}: each fold had its own teacher; give one for the final model: --teacher")
    epochs = median_high(len(fold.history) for fold in result.folds) if config.patience else config.epochs
    lr = config.lr or _median(fold.provenance["lr"] for fold in result.folds)
    return replace(config, refit=False, keep="last", patience=0, plateau=0, epochs=epochs, lr=lr)


def _median(values: Iterable[float | None]) -> float | None:
    """The median of those that are known; None where none is."""
    known = [value for value in values if value is not None]
    return median_high(known) if known else None


def _adapter_choice(result: Result) -> AdapterChoice | None:
    """The median of what the folds of a network chose, with their shrinkage; None where they have no adapter."""
    found = [open_bundle(fold.folder)[1].adaptation for fold in result.folds]
    adaptations = [adaptation for adaptation in found if adaptation]
    if not adaptations:
        return None
    c = _median(fold.provenance.get("speaker_head_c") for fold in result.folds)
    temperature = median_high(adaptation.temperature for adaptation in adaptations)
    return AdapterChoice(c, adaptations[0].shrinkage, temperature)


def _estimated(result: Result) -> Evaluation:
    """Predictions and metrics of the folds, with one temperature and one threshold for all."""
    folds = [fold.calibrated for fold in result.folds]
    uncalibrated = joined([with_temperature(fold.predictions, 1 / fold.temperature) for fold in folds])
    temperature = choose_temperature(uncalibrated)
    predictions = with_temperature(uncalibrated, temperature)
    metrics = result.metrics
    if rows := _robustness(result.path, metrics):
        metrics[ROBUSTNESS] = rows
    metrics["calibration"] |= {"temperature": [temperature], "uncertain_below": [threshold(predictions)]}
    labels = [label for fold in result.folds for label in read_labels(fold.folder / ADAPTATION)]
    return Evaluation(temperature, predictions, result.predictions, metrics, labels if "adaptation" in metrics else ())


def _robustness(run: Path, metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a run's robustness.csv, which must be of the predictions that have these metrics.

    Raises:
        UserError: a damaged table, or one of other clips or other networks.
    """
    rows = read_robustness(run)
    if rows and (rows[0]["clips"] != metrics["clips"] or abs(rows[0]["uar"] - metrics["uar"]) > _TOLERANCE):
        raise UserError(
            f"{run / ROBUSTNESS_CSV}: UAR {rows[0]['uar']:.1%} of {rows[0]['clips']} clean clips, and the run has "
            f"{metrics['uar']:.1%} of {metrics['clips']}; run ser-train robustness again, or delete the table"
        )
    return rows

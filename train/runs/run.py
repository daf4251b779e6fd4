"""One run: split, find a learning rate, train, evaluate, write the run folder.

run(ImageSet.read(Path("images")), TrainConfig(weights="none"), "speaker", 0, Path("runs/first"))
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ser_images.data.common.command_line import LOGGER
from ser_images.data.common.errors import UserError
from ser_images.data.common.text import counted
from ser_images.data.leaks import Leaks, require_no_leak
from ser_images.data.splits import Split, make_split
from ser_images.export.bundle.bundle import LEARNER, ONNX, Bundle
from ser_images.export.bundle.run_folder import add_onnx, new_run_folder, write_bundle
from ser_images.export.formats.fastai_pickle import pickle_obstacle
from ser_images.export.formats.safetensors import model_id
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, load_images
from ser_images.train.evaluation.adaptation import adaptation_text
from ser_images.train.evaluation.calibration import has_one_speaker
from ser_images.train.evaluation.metrics import report_text
from ser_images.train.evaluation.predictions import Predictions
from ser_images.train.runs.finished import complete, lacks_onnx, settings_of
from ser_images.train.runs.lineage import checked_parent, lineage_of_run, write_lineage
from ser_images.train.runs.records import provenance, training_summary, write_records
from ser_images.train.runs.results import config_of_fold, read_metrics
from ser_images.train.training.callbacks import Report
from ser_images.train.training.checkpoints.files import Checkpoints
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.corpus_heads import corpora_with_heads
from ser_images.train.training.loaders import subset_rows
from ser_images.train.training.loggers.logger import Logger
from ser_images.train.training.outcome import Evaluation, Trained
from ser_images.train.training.single_training import Job
from ser_images.train.training.trainer import train_and_evaluate


def run(
    image_set: ImageSet,
    config: TrainConfig,
    protocol: str,
    fold: int,
    out: Path,
    report: Report = print,
    test: bool = True,
    command: Sequence[str] = (),
    trainings_after: int = 0,
    resume: bool = False,
    logger: str = "",
) -> dict[str, Any]:
    """Train and evaluate one fold of a protocol; write the run folder `out`.

    A run of the same settings whose process was killed before its ONNX was written is completed, not trained again.

    Args:
        test: evaluate on the test fold. Otherwise evaluate on the validation clips, and leave the test fold unused,
            as it must be while configurations are compared.
        command: the command line to record in `run.json`.
        trainings_after: number of folds that are trained after this one, to estimate the remaining time.
        resume: go on from the last epoch of a training of the same settings that was interrupted, if there is one.
        logger: one of `ser_images.train.training.loggers.names.MODULES`, see `Logger`; empty: none.

    Returns:
        The content of `metrics.json`.

    Raises:
        UserError: image set, protocol and config don't fit together, the split leaks, `out` exists, or a checkpoint
            to resume is damaged or of other settings.
    """
    config = for_images(config, image_set, test)
    if config.refit and not test:
        raise UserError(
            "--refit trains on the validation clips too, which the metrics of --no-test need: leave one out"
        )
    split = make_split(image_set.rows, protocol, fold, config.seed)
    _report_split(image_set, split, protocol, fold, report, require_no_leak(image_set.rows, split, protocol))
    of_fold = config_of_fold(config, fold)
    parent = checked_parent(image_set, split, protocol, of_fold, test)
    if config.adapt == "speaker":
        _require_speakers(image_set, split)
    expected = provenance(image_set, split, protocol, fold, config, command)
    if lacks_onnx(out):
        complete(out, expected, test, image_set, report)
        return read_metrics(out)
    started = time.monotonic()
    checkpoints = Checkpoints.beside(out, settings_of(expected, test), resume)
    with new_run_folder(out) as folder:
        job = Job(image_set, folder, report, checkpoints, Logger.of(logger, out), trainings_after)
        trained, evaluation = train_and_evaluate(job, split, of_fold, test)
        content = expected | training_record(trained, started)
        content["lineage"] = write_lineage(
            folder, lineage_of_run(image_set, split, bool(config.refit)), parent, of_fold
        )
        write_records(folder, trained, evaluation, content, image_set.folder)
        bundle = bundle_of(trained, evaluation, config, image_set, training_summary(content, evaluation.metrics))
        write_bundle(folder, trained.network, bundle)
    checkpoints.remove()
    if not trained.probe and has_one_speaker(evaluation.validation):
        report("warning: one validation speaker: no temperature was fitted (1.0); it needs at least two speakers")
    report(f"\n{report_text(evaluation.predictions)}{adaptation_text(evaluation.metrics)}")
    add_checked_onnx(out, trained, evaluation.predictions, bundle, image_set, report)
    return evaluation.metrics


def training_record(trained: Trained, started: float) -> dict[str, Any]:
    """What `run.json` says of a training that started, or went on, at this time."""
    return {
        "lr": trained.lr,
        "speaker_head_c": trained.adapter.choice.c if trained.adapter else None,
        "lr_suggestions": trained.lr_finder.suggestions if trained.lr_finder else {},
        "duration_s": round(time.monotonic() - started + trained.earlier_s, 1),
    }


def add_checked_onnx(
    out: Path, trained: Trained, predictions: Predictions, bundle: Bundle, image_set: ImageSet, report: Report
) -> None:
    """Export into a finished run folder, and require that the ONNX file has these predictions of the network."""
    if reason := pickle_obstacle(bundle):
        report(f"no {LEARNER}: {reason}, and plain fastai could not load it")
    rows = predictions.rows
    difference = add_onnx(out, trained.network, bundle, load_images(image_set, rows), predictions.probabilities)
    report(f"{ONNX} checked on {len(rows)} images: probabilities equal to the network's within {difference:.0e}")


def _report_split(image_set: ImageSet, split: Split, protocol: str, fold: int, report: Report, leaks: Leaks) -> None:
    names = ("train", "validation", "test")
    subsets = [subset_rows(image_set, indices) for indices in (split.train, split.valid, split.test)]
    counts = ", ".join(
        f"{name} {counted(len({row.clip for row in rows}), 'clip')}"
        f" of {counted(len({row.speaker for row in rows}), 'speaker')}"
        for name, rows in zip(names, subsets, strict=True)
    )
    report(f"protocol {protocol}, fold {fold}: {counts}")
    if split.left_out:
        report(f"left out, because another subset has an exact duplicate: {', '.join(split.left_out)}")
    if protocol == "leaky":
        report(
            f"LEAKY: {leaks.text()} are in more than one subset. "
            f"These metrics do not measure new speech; they only reproduce published ones."
        )


def _require_speakers(image_set: ImageSet, split: Split) -> None:
    """Raise UserError where no speaker has two training clips, of which the mean could be subtracted."""
    speakers = Counter(row.speaker for row in subset_rows(image_set, split.train) if row.variant == "original")
    if max((clips for speaker, clips in speakers.items() if speaker), default=0) < 2:
        raise UserError(
            f"{image_set.folder}: no speaker has two training clips, which --adapt speaker needs; use --adapt none"
        )


def bundle_of(
    trained: Trained, evaluation: Evaluation, config: TrainConfig, image_set: ImageSet, training: dict[str, Any]
) -> Bundle:
    """The bundle of a trained network; `training` is what it says of its training."""
    adaptation = trained.adapter.adaptation if trained.adapter else None
    return Bundle(
        model_id(trained.network), config.architecture, image_set.labels, image_set.spec, trained.normalisation,
        evaluation.temperature, training, bool(config.linear_probe), adaptation,
        corpora_with_heads(config, image_set),
    )  # fmt: skip


def for_images(config: TrainConfig, image_set: ImageSet, test: bool) -> TrainConfig:
    """The config with all defaults filled in; adapts to no speakers where none is named, mixes no heads of one corpus.

    Logs a line where options have no effect.

    Raises:
        UserError: `adapt` is speaker, and no clip names its speaker.
    """
    if not any(row.speaker for row in image_set.rows):
        if config.adapt == "speaker":
            raise UserError(
                f"{image_set.folder}: no clip names its speaker, which --adapt speaker needs: build with "
                f"--regex or --speakers"
            )
        config = replace(config, adapt="none")
    resolved = config.resolved(test)
    if len(image_set.corpora) < 2:
        if config.corpus_heads:
            LOGGER.warning("--corpus-heads: no effect, since all images are of one corpus")
        resolved = replace(resolved, corpus_heads=False)
    if config != resolved and (unused := resolved.without_effect):
        names = ", ".join("--" + name.replace("_", "-") for name in unused)
        LOGGER.warning(f"{names}: no effect, since a linear probe has no epochs; add --no-linear-probe for a training")
    return resolved

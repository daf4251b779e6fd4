"""One run, whole: divide, find a rate, train, evaluate, write the folder.

run(ImageSet.read(Path("images")), TrainConfig(weights="none"), "speaker", 0, Path("runs/first"))
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ser_images.data.common.errors import UserError
from ser_images.data.leaks import Leaks, require_no_leak
from ser_images.data.splits import Split, make_split
from ser_images.export.bundle.bundle import LEARNER, Bundle
from ser_images.export.bundle.run_folder import add_onnx, new_run_folder, write_bundle
from ser_images.export.formats.fastai_pickle import why_not_pickled
from ser_images.export.formats.safetensors import model_id
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, load_images
from ser_images.train.evaluation.metrics import report_text
from ser_images.train.runs.records import provenance, training_of, write_figures, write_history
from ser_images.train.training.callbacks import Report
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.loaders import subset_rows
from ser_images.train.training.lr_plot import plot_lr_finder
from ser_images.train.training.trainer import Evaluation, Trained, train_and_evaluate


def run(
    images: ImageSet,
    recipe: TrainConfig,
    protocol: str,
    fold: int,
    out: Path,
    report: Report = print,
    test: bool = True,
    command: Sequence[str] = (),
    trainings_after: int = 0,
) -> dict[str, Any]:
    """Train one fold of a protocol into the folder `out`.

    Args:
        test: evaluate the test fold; otherwise the figures are of the validation clips, and the test
            fold stays unseen, as it must while recipes are compared.
        command: what is noted as the command of the run.
        trainings_after: how many folds are trained after this one, for the estimate of the remaining time.

    Returns:
        The content of `metrics.json`.

    Raises:
        UserError: images, protocol and recipe don't fit, the split leaks, or `out` is taken.
    """
    recipe = recipe.resolved()
    if recipe.refit and not test:
        raise UserError(
            "--refit trains with the validation clips too, which --no-test needs for its metrics: leave one out"
        )
    split = make_split(images.rows, protocol, fold, recipe.seed)
    _describe(images, split, protocol, fold, report, require_no_leak(images.rows, split, protocol))
    started = time.time()
    with new_run_folder(out) as folder:
        trained, evaluation = train_and_evaluate(images, split, recipe, folder, report, test, trainings_after)
        content = provenance(images, split, protocol, fold, recipe, command) | {
            "lr": trained.lr,
            "lr_suggestions": trained.lr_finder.suggestions if trained.lr_finder else {},
            "duration_s": round(time.time() - started, 1),
        }
        _write(folder, trained, evaluation, content, images.folder)
        bundle = _bundle(trained, evaluation, recipe, images, training_of(content, evaluation.metrics))
        write_bundle(folder, trained.learner, bundle)
    report(f"\n{report_text(evaluation.predictions)}")
    if reason := why_not_pickled(bundle):
        report(f"no {LEARNER}: {reason}, and plain fastai could not load it")
    seen = evaluation.predictions.rows
    difference = add_onnx(
        out, trained.learner.model, bundle, load_images(images, seen), evaluation.predictions.probabilities
    )
    report(f"model.onnx says the same of these {len(seen)} pictures, within {difference:.0e}")
    return evaluation.metrics


def _write(folder: Path, trained: Trained, evaluation: Evaluation, content: dict[str, Any], images: Path) -> None:
    write_figures(folder, evaluation.predictions, evaluation.metrics, images)
    evaluation.validation.write(folder / "validation.csv")
    write_history(folder, trained.history)
    if trained.lr_finder:
        plot_lr_finder(trained.lr_finder, trained.lr).savefig(folder / "lr_find.png")
    (folder / "run.json").write_text(json.dumps(content, indent=2) + "\n")


def _describe(images: ImageSet, split: Split, protocol: str, fold: int, report: Report, leaks: Leaks) -> None:
    names = ("train", "validation", "test")
    sides = [subset_rows(images, part) for part in (split.train, split.valid, split.test)]
    counts = ", ".join(
        f"{name} {len({row.clip for row in rows})} clips of {len({row.speaker for row in rows})} speakers"
        for name, rows in zip(names, sides, strict=True)
    )
    report(f"protocol {protocol}, fold {fold}: {counts}")
    if split.left_out:
        report(f"left out, as exact duplicates of clips on another side: {', '.join(split.left_out)}")
    if protocol == "leaky":
        report(
            f"LEAKY: {leaks.text()} stand on two sides. "
            f"These figures say nothing about new speech; they only reproduce published ones."
        )


def _bundle(
    trained: Trained, evaluation: Evaluation, recipe: TrainConfig, images: ImageSet, training: dict[str, Any]
) -> Bundle:
    return Bundle(
        model_id(trained.learner.model), recipe.architecture, images.labels, images.spec, trained.normalisation,
        evaluation.temperature, training,
    )  # fmt: skip

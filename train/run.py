"""One run, whole: divide, find a rate, train, evaluate, write the folder.

run(ImageSet.read(Path("images")), Recipe(weights="none"), "speaker", 0, Path("runs/first"))
"""

import json
import shutil
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from fastai.callback.core import Callback
from fastai.torch_core import default_device, set_seed

from data.errors import UserError
from data.leaks import Leaks, require_no_leak
from data.splits import Division, divide
from export.architectures import architecture
from export.bundle import LEARNER, Bundle, Normalisation
from export.learner import plain_learner
from export.learner_pickle import why_not_pickled
from export.run_folder import add_onnx, new_run_folder, write_bundle
from export.weights import model_id
from spectrogram_gen.image_set import ImageSet, Picture, pictures_of
from train import plots
from train.calibration import Calibrated, calibration, choose_temperature, threshold
from train.callbacks import Report, WithoutValidation
from train.evaluate import metrics, predict, report_text
from train.fit import RateSearch, find_rate, fit, make_learner
from train.frozen import frozen_body
from train.images import data_loaders, normalisation_of, side
from train.predictions import Predictions
from train.recipe import Recipe
from train.records import provenance, training_of, write_figures, write_history


@dataclass(frozen=True)
class Trained:
    """What came of a training.

    Attributes:
        learner: a plain fastai learner, on the CPU.
        history: the figures of each epoch.
        rate: the highest learning rate.
        search: where lr_find found it.
    """

    learner: Any
    normalisation: Normalisation
    history: list[dict[str, float]]
    rate: float
    search: RateSearch | None


@dataclass(frozen=True)
class Judged:
    """What it says of the clips that it was not trained on, calibrated.

    Attributes:
        validation: the clips that epoch, temperature and threshold were chosen on.
        predictions: the clips that are reported: the test fold, or the validation clips once more.
        figures: the content of `metrics.json`.
    """

    temperature: float
    validation: Predictions
    predictions: Predictions
    figures: dict[str, Any]


def run(
    images: ImageSet,
    recipe: Recipe,
    protocol: str,
    fold: int,
    out: Path,
    report: Report = print,
    test: bool = True,
    command: Sequence[str] = (),
) -> dict[str, Any]:
    """Train one fold of a protocol into the folder `out`.

    Args:
        test: evaluate the test fold; otherwise the figures are of the validation clips, and the test
            fold stays unseen, as it must while recipes are compared.
        command: what is noted as the command of the run.

    Returns:
        The content of `metrics.json`.

    Raises:
        UserError: images, protocol and recipe don't fit, the division leaks, or `out` is taken.
    """
    if recipe.refit and not test:
        raise UserError("--refit trains with the validation clips too, and --validate-only has no others to judge by")
    division = divide(images.pictures, protocol, fold, recipe.seed)
    _describe(images, division, protocol, fold, report, require_no_leak(images.pictures, division, protocol))
    started = time.time()
    with new_run_folder(out) as folder:
        trained = _train(images, division, recipe, folder, report)
        temperature, validation = _validate(trained, images, division)
        if recipe.refit:
            report("once more, from the start, with the validation clips")
            trained = _refit(trained, images, division, recipe, folder, report)
        judged = _judge(trained, temperature, validation, side(images, division.test) if test else [], images)
        write_figures(folder, judged.predictions, judged.figures, images.folder)
        judged.validation.write(folder / "validation.csv")
        write_history(folder, trained.history)
        if trained.search:
            plots.rate_search(trained.search, trained.rate).savefig(folder / "lr_find.png")
        content = provenance(images, division, protocol, fold, recipe, command) | {
            "lr": trained.rate,
            "lr_suggestions": trained.search.suggestions if trained.search else {},
            "duration_s": round(time.time() - started, 1),
        }
        (folder / "run.json").write_text(json.dumps(content, indent=2) + "\n")
        bundle = _bundle(trained, judged, recipe, images, training_of(content, judged.figures))
        write_bundle(folder, trained.learner, bundle)
    report(f"\n{report_text(judged.predictions)}")
    if reason := why_not_pickled(bundle):
        report(f"no {LEARNER}: {reason}, and plain fastai could not load it")
    seen = judged.predictions.rows
    difference = add_onnx(
        out, trained.learner.model, bundle, pictures_of(images, seen), judged.predictions.probabilities
    )
    report(f"model.onnx says the same of these {len(seen)} pictures, within {difference:.0e}")
    return judged.figures


def _train(
    images: ImageSet,
    division: Division,
    recipe: Recipe,
    folder: Path,
    report: Report,
    callbacks: Sequence[Callback] = (),
) -> Trained:
    set_seed(recipe.seed, reproducible=True)
    own = architecture(recipe.architecture).normalisation
    normalisation = own or normalisation_of(images, side(images, division.train))
    loaders_of = partial(
        data_loaders, images, division, normalisation, recipe.epoch_of, recipe.batch_size, default_device()
    )
    learner = make_learner(loaders_of(), recipe, images.labels, images.spec, folder).add_cbs(callbacks)
    with frozen_body(learner, images, normalisation, loaders_of, report) if recipe.freeze else nullcontext():
        rate, search = _rate(learner, recipe, report)
        history = fit(learner, recipe, rate, report)
    shutil.rmtree(folder / "models", ignore_errors=True)
    plain = plain_learner(learner.model, images.labels, images.spec, normalisation)
    return Trained(plain, normalisation, history, rate, search)


def _refit(
    first: Trained, images: ImageSet, division: Division, recipe: Recipe, folder: Path, report: Report
) -> Trained:
    """Trained again, at the same rate, with the validation clips too; the figures of the epochs are the first's."""
    whole = division.validation_joined(images.pictures)
    again = _train(images, whole, replace(recipe, lr=first.rate), folder, report, [WithoutValidation()])
    return replace(again, history=first.history, search=first.search)


def _validate(trained: Trained, images: ImageSet, division: Division) -> tuple[float, Predictions]:
    """The temperature that suits the validation clips, and what is said of them with it."""
    held_out = side(images, division.valid)
    temperature = choose_temperature(predict(trained.learner, images, held_out))
    return temperature, predict(trained.learner, images, held_out, temperature)


def _judge(
    trained: Trained, temperature: float, validation: Predictions, test: list[Picture], images: ImageSet
) -> Judged:
    predictions = predict(trained.learner, images, test, temperature) if test else validation
    figures = {
        "side": "test" if test else "validation",
        **metrics(predictions),
        "calibration": calibration([Calibrated(predictions, temperature, threshold(validation))]),
    }
    return Judged(temperature, validation, predictions, figures)


def _describe(images: ImageSet, division: Division, protocol: str, fold: int, report: Report, leaks: Leaks) -> None:
    names = ("train", "validation", "test")
    sides = [side(images, part) for part in (division.train, division.valid, division.test)]
    counts = ", ".join(
        f"{name} {len({row.clip for row in rows})} clips of {len({row.speaker for row in rows})} speakers"
        for name, rows in zip(names, sides, strict=True)
    )
    report(f"protocol {protocol}, fold {fold}: {counts}")
    if division.left_out:
        report(f"left out, as exact duplicates of clips on another side: {', '.join(division.left_out)}")
    if protocol == "leaky":
        report(
            f"LEAKY: {leaks.text()} stand on two sides. "
            f"These figures say nothing about new speech; they only reproduce published ones."
        )


def _bundle(trained: Trained, judged: Judged, recipe: Recipe, images: ImageSet, training: dict[str, Any]) -> Bundle:
    return Bundle(
        model_id(trained.learner.model), recipe.architecture, images.labels, images.spec, trained.normalisation,
        judged.temperature, training,
    )  # fmt: skip


def _rate(learner: Any, recipe: Recipe, report: Report) -> tuple[float, RateSearch | None]:
    if recipe.lr is not None:
        return recipe.lr, None
    search = find_rate(learner)
    suggestions = ", ".join(f"{name} {rate:.2e}" for name, rate in search.suggestions.items())
    report(f"learning rate: {suggestions}; taking {recipe.suggestion}")
    return search.suggestions[recipe.suggestion], search

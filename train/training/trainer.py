"""One training: a network, and what it says of the clips that it was not trained on, calibrated."""

import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from fastai.callback.core import Callback
from fastai.torch_core import default_device, set_seed

from ser_images.data.splits import Division
from ser_images.export.architectures import architecture
from ser_images.export.bundle.bundle import Normalisation
from ser_images.export.formats.fastai_learner import plain_learner
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, Picture
from ser_images.train.evaluation.calibration import Calibrated, calibration, choose_temperature, threshold
from ser_images.train.evaluation.metrics import metrics, predict
from ser_images.train.evaluation.predictions import Predictions
from ser_images.train.training.allocator import keep_freed_memory
from ser_images.train.training.callbacks import Report, WithoutValidation
from ser_images.train.training.config import Recipe
from ser_images.train.training.embeddings import frozen_body
from ser_images.train.training.learner import RateSearch, find_rate, fit, make_learner
from ser_images.train.training.loaders import data_loaders, normalisation_of, side


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


def train_and_judge(
    images: ImageSet, division: Division, recipe: Recipe, folder: Path, report: Report, test: bool
) -> tuple[Trained, Judged]:
    """Train on one division, and once more with its validation clips where the recipe says so.

    Args:
        folder: what the training must write on its way goes here.
        test: judge by the test fold, else by the validation clips.
    """
    trained = _train(images, division, recipe, folder, report)
    temperature, validation = _validate(trained, images, division)
    if recipe.refit:
        report("once more, from the start, with the validation clips")
        trained = _refit(trained, images, division, recipe, folder, report)
    return trained, _judge(trained, temperature, validation, side(images, division.test) if test else [], images)


def _train(
    images: ImageSet,
    division: Division,
    recipe: Recipe,
    folder: Path,
    report: Report,
    callbacks: Sequence[Callback] = (),
) -> Trained:
    set_seed(recipe.seed, reproducible=True)
    keep_freed_memory()
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


def _rate(learner: Any, recipe: Recipe, report: Report) -> tuple[float, RateSearch | None]:
    if recipe.lr is not None:
        return recipe.lr, None
    search = find_rate(learner)
    suggestions = ", ".join(f"{name} {rate:.2e}" for name, rate in search.suggestions.items())
    report(f"learning rate: {suggestions}; taking {recipe.suggestion}")
    return search.suggestions[recipe.suggestion], search

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

from ser_images.data.splits import Split
from ser_images.export.architectures import architecture
from ser_images.export.bundle.bundle import Normalisation
from ser_images.export.formats.fastai_learner import plain_learner
from ser_images.spectrogram_gen.dataset.image_set import ImageSet, ManifestRow
from ser_images.train.evaluation.calibration import Calibrated, calibration, choose_temperature, threshold
from ser_images.train.evaluation.metrics import metrics, predict
from ser_images.train.evaluation.predictions import Predictions
from ser_images.train.training.allocator import keep_freed_memory
from ser_images.train.training.callbacks import Report, WithoutValidation
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.embeddings import frozen_backbone
from ser_images.train.training.learner import LRFinderResult, find_lr, fit, make_learner
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
    search: LRFinderResult | None


@dataclass(frozen=True)
class Evaluation:
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


def train_and_evaluate(
    images: ImageSet, split: Split, recipe: TrainConfig, folder: Path, report: Report, test: bool
) -> tuple[Trained, Evaluation]:
    """Train on one split, and once more with its validation clips where the recipe says so.

    Args:
        folder: what the training must write on its way goes here.
        test: judge by the test fold, else by the validation clips.
    """
    trained = _train(images, split, recipe, folder, report)
    temperature, validation = _validate(trained, images, split)
    if recipe.refit:
        report("once more, from the start, with the validation clips")
        trained = _refit(trained, images, split, recipe, folder, report)
    return trained, _judge(trained, temperature, validation, side(images, split.test) if test else [], images)


def _train(
    images: ImageSet,
    split: Split,
    recipe: TrainConfig,
    folder: Path,
    report: Report,
    callbacks: Sequence[Callback] = (),
) -> Trained:
    set_seed(recipe.seed, reproducible=True)
    keep_freed_memory()
    own = architecture(recipe.architecture).normalisation
    normalisation = own or normalisation_of(images, side(images, split.train))
    loaders_of = partial(
        data_loaders, images, split, normalisation, recipe.epoch_over, recipe.batch_size, default_device()
    )
    learner = make_learner(loaders_of(), recipe, images.labels, images.spec, folder).add_cbs(callbacks)
    with frozen_backbone(learner, images, normalisation, loaders_of, report) if recipe.freeze else nullcontext():
        rate, search = _rate(learner, recipe, report)
        history = fit(learner, recipe, rate, report)
    shutil.rmtree(folder / "models", ignore_errors=True)
    plain = plain_learner(learner.model, images.labels, images.spec, normalisation)
    return Trained(plain, normalisation, history, rate, search)


def _refit(
    first: Trained, images: ImageSet, split: Split, recipe: TrainConfig, folder: Path, report: Report
) -> Trained:
    """Trained again, at the same rate, with the validation clips too; the figures of the epochs are the first's."""
    whole = split.with_validation_in_train(images.rows)
    again = _train(images, whole, replace(recipe, lr=first.rate), folder, report, [WithoutValidation()])
    return replace(again, history=first.history, search=first.search)


def _validate(trained: Trained, images: ImageSet, split: Split) -> tuple[float, Predictions]:
    """The temperature that suits the validation clips, and what is said of them with it."""
    held_out = side(images, split.valid)
    temperature = choose_temperature(predict(trained.learner, images, held_out))
    return temperature, predict(trained.learner, images, held_out, temperature)


def _judge(
    trained: Trained, temperature: float, validation: Predictions, test: list[ManifestRow], images: ImageSet
) -> Evaluation:
    predictions = predict(trained.learner, images, test, temperature) if test else validation
    figures = {
        "subset": "test" if test else "validation",
        **metrics(predictions),
        "calibration": calibration([Calibrated(predictions, temperature, threshold(validation))]),
    }
    return Evaluation(temperature, validation, predictions, figures)


def _rate(learner: Any, recipe: TrainConfig, report: Report) -> tuple[float, LRFinderResult | None]:
    if recipe.lr is not None:
        return recipe.lr, None
    search = find_lr(learner)
    suggestions = ", ".join(f"{name} {rate:.2e}" for name, rate in search.suggestions.items())
    report(f"learning rate: {suggestions}; taking {recipe.suggestion}")
    return search.suggestions[recipe.suggestion], search

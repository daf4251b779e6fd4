"""Trainings and their evaluation: a network, and its calibrated predictions for clips that it was not trained on."""

from collections.abc import Iterable
from dataclasses import replace

from ser_images.data.splits import Split
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.spectrogram_gen.dataset.manifest import ManifestRow
from ser_images.train.evaluation.calibration import (
    Calibrated,
    calibration,
    choose_temperature,
    threshold,
)
from ser_images.train.evaluation.metrics import metrics, predict
from ser_images.train.evaluation.predictions import Predictions
from ser_images.train.training.adapter import (
    Adapter,
    choose_by_speakers,
    choose_on_validation,
    evaluate_adapter,
    fit_adapter,
)
from ser_images.train.training.adapter_choice import AdapterChoice
from ser_images.train.training.callbacks import WithoutValidation
from ser_images.train.training.checkpoints.files import REFIT
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.corpus_heads import corpora_with_heads
from ser_images.train.training.embedded import Embedded, embed_clips
from ser_images.train.training.first_weights import speaker_embedding_of
from ser_images.train.training.linear_probe import Probe
from ser_images.train.training.loaders import subset_rows
from ser_images.train.training.outcome import Evaluation, Trained
from ser_images.train.training.single_training import Job, train_once


def train_and_evaluate(job: Job, split: Split, config: TrainConfig, test: bool) -> tuple[Trained, Evaluation]:
    """Train on one split, and once more with its validation clips where `config.refit` is set.

    Args:
        test: evaluate on the test fold, else on the validation clips.
    """
    config, image_set = config.resolved(test), job.image_set
    refit = bool(config.refit)
    job = replace(job, trainings_after=job.trainings_after * (1 + refit))
    trained = train_once(replace(job, trainings_after=job.trainings_after + refit), split, config)
    temperature, validation = _validate(trained, image_set, split)
    adapt = config.adapt == "speaker"
    choice = _choose_adapter(trained, image_set, split, validation, config) if adapt else None
    if refit:
        job.report("training again from the start, with the validation clips included")
        split = split.with_validation_in_train(image_set.rows)
        trained = _refit(job, trained, split, config)
    test_rows = subset_rows(image_set, split.test) if test else []
    evaluation = _evaluate(trained, temperature, validation, test_rows, image_set)
    if choice:
        return _adapt(choice, trained, evaluation, image_set, split, config)
    return trained, evaluation


def train_on_all(job: Job, split: Split, config: TrainConfig, choice: AdapterChoice | None = None) -> Trained:
    """Train on the training clips of a split, where no others are left to validate on.

    Args:
        choice: of the adapter; None: there is none, but for a linear probe, which chooses it by its training speakers.
    """
    config, image_set = config.resolved(), job.image_set
    trained = train_once(job, split, config, [WithoutValidation()])
    if config.adapt != "speaker":
        return trained
    if trained.probe:
        choice = _choose_by_speakers(trained.probe, image_set, config)
    assert choice, "a network that adapts has an adapter in each fold"
    clips = _training(image_set, trained, split, config)
    return replace(trained, adapter=_fit_adapter(choice, trained, image_set, clips, config))


def _choose_adapter(
    trained: Trained, image_set: ImageSet, split: Split, validation: Predictions, config: TrainConfig
) -> AdapterChoice:
    if trained.probe:
        return _choose_by_speakers(trained.probe, image_set, config)
    train, valid = _training(image_set, trained, split, config), _clips(image_set, trained, split.valid)
    return choose_on_validation(config.architecture, trained.learner.model, train, valid, validation)


def _choose_by_speakers(probe: Probe, image_set: ImageSet, config: TrainConfig) -> AdapterChoice:
    corpora, labels = corpora_with_heads(config, image_set), image_set.labels
    return choose_by_speakers(config.architecture, probe.regularisation, probe.temperature(labels), labels, corpora)


def _adapt(
    choice: AdapterChoice,
    trained: Trained,
    evaluation: Evaluation,
    image_set: ImageSet,
    split: Split,
    config: TrainConfig,
) -> tuple[Trained, Evaluation]:
    """Training and evaluation with the adapter of the trained network."""
    train = _training(image_set, trained, split, config)
    scored = embed_clips(trained.learner, image_set, evaluation.predictions.rows, trained.cache)
    adapter = _fit_adapter(choice, trained, image_set, train, config)
    found = evaluate_adapter(adapter, train, scored, evaluation.predictions, config.seed)
    return replace(trained, adapter=adapter), evaluation.with_adaptation(found)


def _fit_adapter(
    choice: AdapterChoice, trained: Trained, image_set: ImageSet, train: Embedded, config: TrainConfig
) -> Adapter:
    network, n_labels, voices = trained.learner.model, len(image_set.labels), speaker_embedding_of(config)
    corpora = corpora_with_heads(config, image_set)
    return fit_adapter(choice, config.architecture, network, train, n_labels, voices, corpora)


def _training(image_set: ImageSet, trained: Trained, split: Split, config: TrainConfig) -> Embedded:
    return replace(_clips(image_set, trained, split.train), balance=config.balance)


def _clips(image_set: ImageSet, trained: Trained, indices: Iterable[int]) -> Embedded:
    return embed_clips(trained.learner, image_set, subset_rows(image_set, indices), trained.cache)


def _refit(job: Job, first: Trained, enlarged: Split, config: TrainConfig) -> Trained:
    """Trained again on training and validation clips, with the learning rate or the regularisation of the first time.

    The history is the first's.
    """
    regularisation = first.probe.regularisation if first.probe else None
    again = train_once(job, enlarged, replace(config, lr=first.lr), [WithoutValidation()], regularisation, REFIT)
    earlier_s = first.earlier_s + again.earlier_s
    return replace(again, history=first.history, lr_finder=first.lr_finder, earlier_s=earlier_s)


def _validate(trained: Trained, image_set: ImageSet, split: Split) -> tuple[float, Predictions]:
    """The temperature, and the validation clips' predictions with it.

    It is chosen on the validation clips; of a linear probe on training clips, by layers not fitted to their speaker.
    """
    rows = subset_rows(image_set, split.valid)
    if trained.probe:
        temperature = trained.probe.temperature(image_set.labels)
    else:
        temperature = choose_temperature(predict(trained.learner, image_set, rows))
    return temperature, predict(trained.learner, image_set, rows, temperature)


def _evaluate(
    trained: Trained, temperature: float, validation: Predictions, test: list[ManifestRow], image_set: ImageSet
) -> Evaluation:
    predictions = predict(trained.learner, image_set, test, temperature) if test else validation
    found = {
        "subset": "test" if test else "validation",
        **metrics(predictions),
        "calibration": calibration([Calibrated(predictions, temperature, threshold(validation))]),
    }
    return Evaluation(temperature, validation, predictions, found)

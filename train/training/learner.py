"""The learner of one training: its loss, its callbacks, its learning rate, its epochs."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastai.callback.schedule as schedule  # adds fit_one_cycle, fine_tune and lr_find to Learner
import torch
from fastai.callback.channelslast import ChannelsLast
from fastai.callback.core import Callback
from fastai.callback.fp16 import AMPMode, MixedPrecision
from fastai.callback.mixup import MixUp
from fastai.callback.progress import ProgressCallback
from fastai.callback.tracker import EarlyStoppingCallback, ReduceLROnPlateau
from fastai.metrics import accuracy, skm_to_fastai

from ser_images.data.common.errors import UserError
from ser_images.data.common.progress import progress_bar
from ser_images.export.bundle.bundle import Normalisation
from ser_images.spectrogram_gen.spec import ImageSpec
from ser_images.train.evaluation.uar import uar
from ser_images.train.training.augmentation.recording_conditions import RecordingConditions
from ser_images.train.training.augmentation.spec_augment import SpecAugment
from ser_images.train.training.callbacks import (
    AverageWeights,
    BestWeights,
    CountBatches,
    CpuAutocast,
    History,
    Report,
    plain_user_errors,
)
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.distillation.distillation import Distillation
from ser_images.train.training.distillation.teacher import Teacher
from ser_images.train.training.first_weights import make_weighted_learner
from ser_images.train.training.losses import PerHeadCrossEntropy


class DivergedError(UserError):
    """The loss of a training became NaN or infinite."""


@dataclass(frozen=True)
class LRFinderResult:
    """The result of lr_find: the loss at each learning rate, and the learning rate of each suggestion."""

    lrs: list[float]
    losses: list[float]
    suggestions: dict[str, float]


def make_learner(
    dls: Any,
    config: TrainConfig,
    labels: Sequence[str],
    spec: ImageSpec,
    normalisation: Normalisation,
    folder: Path,
    teacher: Teacher | None = None,
) -> Any:
    """The fastai learner of a config, for images of this spec.

    Args:
        normalisation: of the images in a batch.
        folder: fastai's temporary files go here.
        teacher: whose targets `dls` has behind the labels.

    Raises:
        UserError: class weights, conditions or a teacher that do not fit the images or the network.
    """
    config = config.resolved()
    weights = class_weights(config, labels, [label for _, label in dls.train_ds.items])
    loss = PerHeadCrossEntropy(label_smoothing=config.label_smoothing, weight=weights.to(dls.device))
    callbacks = precision(dls.device)
    if config.conditions:
        callbacks.append(RecordingConditions(spec, normalisation, config.conditions))
    if not config.freeze:
        shift = config.time_shift or 0.0
        callbacks.append(SpecAugment(config.mask, config.masks or 0, shift, config.shift_bands))
    if config.mixup:
        callbacks.append(MixUp(config.mixup))
    learner = make_weighted_learner(
        config.architecture, config.weights, dls, spec, loss_func=loss, cbs=callbacks, path=folder,
        metrics=[accuracy, skm_to_fastai(uar)], wd=config.weight_decay,
    )  # fmt: skip
    if teacher:
        sizes = (len(labels), teacher.embeddings.shape[1])
        Distillation(learner.model, *sizes, config.teacher_weight, config.embedding_weight).add_to(learner)
    learner.remove_cb(ProgressCallback)
    learner.logger = lambda _: None
    if config.schedule != "fine-tune":
        learner.unfreeze()
    return learner


def precision(device: torch.device) -> list[Callback]:
    """Callbacks for channels-last memory, and mixed precision where the device has it."""
    if device.type == "cuda":
        mode = AMPMode.BF16 if torch.cuda.is_bf16_supported() else AMPMode.FP16
        return [ChannelsLast(), MixedPrecision(mode)]
    if device.type == "cpu" and cpu_has_bf16():
        return [ChannelsLast(), CpuAutocast()]
    return [ChannelsLast()]


def cpu_has_bf16() -> bool:
    """Whether this processor has bf16 arithmetic; False where torch is too old to know."""
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))


def class_weights(config: TrainConfig, labels: Sequence[str], training_labels: Sequence[str]) -> torch.Tensor:
    """The weight of each label in the loss, shape (labels,).

    Raises:
        UserError: a factor for a label that the image set does not have.
    """
    if unknown := config.class_weight.keys() - set(labels):
        raise UserError(f"--class-weight {min(unknown)}: expected one of {', '.join(labels)}")
    counts = Counter(training_labels)
    balanced = config.class_weights == "balanced"
    weights = [len(training_labels) / (len(labels) * max(counts[label], 1)) if balanced else 1.0 for label in labels]
    factors = [config.class_weight.get(label, 1.0) for label in labels]
    return torch.tensor(weights) * torch.tensor(factors)


def find_lr(learner: Any, iterations: int = 100) -> LRFinderResult:
    """The result of fastai's lr_find: a mock training with increasing learning rates (Smith 2015)."""
    functions = (schedule.valley, schedule.steep, schedule.minimum)
    with progress_bar("finding the learning rate", iterations) as advance, learner.added_cbs(CountBatches(advance)):
        found = learner.lr_find(suggest_funcs=functions, show_plot=False, num_it=iterations)
    recorder = learner.recorder
    suggestions = {name: float(lr) for name, lr in found._asdict().items()}
    return LRFinderResult([float(lr) for lr in recorder.lrs], [float(loss) for loss in recorder.losses], suggestions)


def fit(
    learner: Any, config: TrainConfig, lr: float, report: Report, trainings_after: int = 0
) -> list[dict[str, float]]:
    """Train; afterwards the learner holds the weights of the best epoch on validation clips, or of the last.

    Args:
        trainings_after: number of equal trainings that follow, to estimate the remaining time.

    Returns:
        Losses and metrics of each epoch.

    Raises:
        DivergedError: the loss became NaN or infinite.
    """
    epochs = (config.epochs + (config.schedule == "fine-tune")) * (1 + trainings_after)
    history = History(report, epochs)
    with progress_bar("training", epochs * len(learner.dls.train)) as advance, plain_user_errors():
        _fit(learner, config, lr, [history, CountBatches(advance), *_fit_callbacks(config)])
    if not math.isfinite(history.rows[-1]["train_loss"]):
        raise DivergedError(f"the training diverged at a learning rate of {lr:g} (the loss is not finite): lower --lr")
    return history.rows


def _fit(learner: Any, config: TrainConfig, lr: float, callbacks: list[Callback]) -> None:
    if config.schedule == "one-cycle":
        learner.fit_one_cycle(config.epochs, _by_group(learner, config, lr), cbs=callbacks)
    elif config.schedule == "flat":
        learner.fit(config.epochs, _by_group(learner, config, lr), cbs=callbacks)
    else:
        learner.fine_tune(config.epochs, lr, cbs=callbacks)


def _by_group(learner: Any, config: TrainConfig, lr: float) -> float | list[float]:
    """The learning rate of each parameter group: that of the head is the last."""
    if config.backbone_lr == 1:
        return lr
    groups = len(learner.splitter(learner.model))
    return [config.backbone_lr * lr] * (groups - 1) + [lr]


def _fit_callbacks(config: TrainConfig) -> list[Callback]:
    callbacks: list[Callback] = []
    if config.ema_decay:
        callbacks.append(AverageWeights(config.ema_decay))
    if config.keep == "best":
        callbacks.append(BestWeights(config.monitor))
    if config.patience:
        callbacks.append(EarlyStoppingCallback(monitor=config.monitor, patience=config.patience))
    if config.plateau:
        callbacks.append(ReduceLROnPlateau(config.monitor, patience=config.plateau, factor=config.plateau_factor))
    return callbacks

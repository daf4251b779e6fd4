"""One training: the learner of a recipe, its learning rate, its epochs."""

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
from fastai.losses import CrossEntropyLossFlat
from fastai.metrics import accuracy, skm_to_fastai

from ser_images.data.common.errors import UserError
from ser_images.spectrogram_gen.spec import ImageSpec
from ser_images.train.evaluation.uar import uar
from ser_images.train.training.callbacks import (
    AverageWeights,
    BatchBar,
    BestWeights,
    CpuAutocast,
    History,
    Report,
    SpecAugment,
)
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.first_weights import learner_with_weights


@dataclass(frozen=True)
class LRFinderResult:
    """What lr_find saw: losses over rates, and the rate that each suggestion names."""

    rates: list[float]
    losses: list[float]
    suggestions: dict[str, float]


class PerHeadCrossEntropy(CrossEntropyLossFlat):
    """Of logits (n, labels); of those of several heads, (n, heads, labels), the mean over the heads."""

    def __call__(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        call = super().__call__
        if logits.ndim == 2:
            return call(logits, targets)
        return torch.stack([call(of_head, targets) for of_head in logits.unbind(1)]).mean(0)


def make_learner(dls: Any, recipe: TrainConfig, labels: Sequence[str], spec: ImageSpec, folder: Path) -> Any:
    """The learner of a recipe, for pictures of this spec; what it must write on the way goes into `folder`."""
    weights = class_weights(recipe, labels, [label for _, label in dls.train_ds.items])
    loss = PerHeadCrossEntropy(label_smoothing=recipe.label_smoothing, weight=weights.to(dls.device))
    callbacks = [*precision(dls.device), BatchBar()]
    if not recipe.freeze:
        callbacks.append(SpecAugment(recipe.mask, recipe.masks, recipe.roll, recipe.shift_bands))
    if recipe.mixup:
        callbacks.append(MixUp(recipe.mixup))
    learner = learner_with_weights(
        recipe.architecture, recipe.weights, dls, spec, loss_func=loss, cbs=callbacks, path=folder,
        metrics=[accuracy, skm_to_fastai(uar)], wd=recipe.weight_decay,
    )  # fmt: skip
    learner.remove_cb(ProgressCallback)
    learner.logger = lambda _: None
    if recipe.schedule != "fine-tune":
        learner.unfreeze()
    return learner


def precision(device: torch.device) -> list[Callback]:
    """Channels-last, and the narrow arithmetic that the device has for it."""
    if device.type == "cuda":
        mode = AMPMode.BF16 if torch.cuda.is_bf16_supported() else AMPMode.FP16
        return [ChannelsLast(), MixedPrecision(mode)]
    if device.type == "cpu" and cpu_has_bf16():
        return [ChannelsLast(), CpuAutocast()]
    return [ChannelsLast()]


def cpu_has_bf16() -> bool:
    """Whether this processor multiplies bf16 itself; False where torch is too old to tell."""
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))


def class_weights(recipe: TrainConfig, labels: Sequence[str], training_labels: Sequence[str]) -> torch.Tensor:
    """The weight of each label in the loss, shape (labels,).

    Raises:
        UserError: a factor for a label that the images don't have.
    """
    if unknown := recipe.class_factors.keys() - set(labels):
        raise UserError(f"--class-factor {min(unknown)}: expected one of {', '.join(labels)}")
    counts = Counter(training_labels)
    balanced = recipe.class_weights == "balanced"
    weights = [len(training_labels) / (len(labels) * max(counts[label], 1)) if balanced else 1.0 for label in labels]
    factors = [recipe.class_factors.get(label, 1.0) for label in labels]
    return torch.tensor(weights) * torch.tensor(factors)


def find_lr(learner: Any, iterations: int = 100) -> LRFinderResult:
    """fastai's mock training over rising learning rates (Smith 2015), with its suggestions."""
    functions = (schedule.valley, schedule.steep, schedule.minimum)
    found = learner.lr_find(suggest_funcs=functions, show_plot=False, num_it=iterations)
    recorder = learner.recorder
    losses = [float(loss) for loss in recorder.losses]
    return LRFinderResult(
        [float(rate) for rate in recorder.lrs], losses, {k: float(v) for k, v in found._asdict().items()}
    )


def fit(learner: Any, recipe: TrainConfig, rate: float, report: Report) -> list[dict[str, float]]:
    """Train; afterwards the learner holds the weights of the best epoch on validation clips, or the last.

    Returns:
        The figures of each epoch.

    Raises:
        UserError: the loss became no number.
    """
    history = History(report)
    callbacks = [history, *_watchers(recipe)]
    if recipe.schedule == "one-cycle":
        learner.fit_one_cycle(recipe.epochs, rate, cbs=callbacks)
    elif recipe.schedule == "flat":
        learner.fit(recipe.epochs, rate, cbs=callbacks)
    else:
        learner.fine_tune(recipe.epochs, rate, cbs=callbacks)
    if not math.isfinite(history.rows[-1]["train_loss"]):
        raise UserError(f"the training diverged at a learning rate of {rate:g} (the loss is no number): lower --lr")
    return history.rows


def _watchers(recipe: TrainConfig) -> list[Callback]:
    callbacks: list[Callback] = []
    if recipe.average:
        callbacks.append(AverageWeights(recipe.average))
    if recipe.keep == "best":
        callbacks.append(BestWeights(monitor=recipe.monitor, fname="best"))
    if recipe.patience:
        callbacks.append(EarlyStoppingCallback(monitor=recipe.monitor, patience=recipe.patience))
    if recipe.plateau:
        callbacks.append(ReduceLROnPlateau(recipe.monitor, patience=recipe.plateau, factor=recipe.plateau_factor))
    return callbacks

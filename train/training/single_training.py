"""A single training: a network that is fitted to the training clips of a split, not evaluated yet.

trained = train_once(Job(image_set, folder, print), split, config.resolved())
"""

import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from fastai.callback.core import Callback
from fastai.torch_core import default_device, set_seed

from ser_images.data.common.command_line import LOGGER
from ser_images.data.splits import Split
from ser_images.export.architectures import architecture
from ser_images.export.bundle.bundle import Normalisation
from ser_images.export.formats.fastai_learner import plain_learner
from ser_images.export.formats.fastai_pickle import torch_writes
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.training.allocator import keep_freed_memory
from ser_images.train.training.callbacks import Report
from ser_images.train.training.checkpoints.callback import Checkpointing
from ser_images.train.training.checkpoints.files import TRAINING, Checkpoint, Checkpoints
from ser_images.train.training.config import TrainConfig
from ser_images.train.training.corpus_heads import corpora_with_heads
from ser_images.train.training.distillation.teacher import Teacher
from ser_images.train.training.distributed import from_first, hand_out, join
from ser_images.train.training.embedded import embed_clips
from ser_images.train.training.embeddings import compute_embeddings, frozen_backbone
from ser_images.train.training.first_weights import for_probing
from ser_images.train.training.learner import LRFinderResult, find_lr, fit, make_learner
from ser_images.train.training.linear_probe import Regularisation, blocks_of, fit_probe, put_in
from ser_images.train.training.loaders import compute_normalisation, data_loaders, subset_rows
from ser_images.train.training.loggers.logger import Logger
from ser_images.train.training.outcome import Trained


@dataclass(frozen=True)
class Job:
    """What a training works on.

    Attributes:
        folder: temporary files of the training go here.
        checkpoints: of this run; None: the training cannot be resumed, or the first of several processes has them.
        logger: None: no other program follows the training.
        trainings_after: number of equal trainings that follow, to estimate the remaining time.
    """

    image_set: ImageSet
    folder: Path
    report: Report
    checkpoints: Checkpoints | None = None
    logger: Logger | None = None
    trainings_after: int = 0

    def checkpoint(self, training: str) -> Checkpoint | None:
        """The checkpoint to go on from; reports one that is there and will be replaced."""
        if self.checkpoints is None:
            return None
        file = self.checkpoints.file(training)
        if file.exists() and not self.checkpoints.resume:
            self.report(
                f"{file}: of a training that was interrupted; this one replaces it after its first epoch. To go on "
                f"from it, stop and add --resume"
            )
        found = self.checkpoints.read(training)
        if found:
            self.report(f"going on from {file}")
        return found

    def log(self, training: str, config: TrainConfig, resumed: bool) -> AbstractContextManager[Any]:
        """The callback of the logger, or None; arguments as of `Logger.opened`."""
        if self.logger is None:
            return nullcontext()
        self.report(f"logging by {self.logger.kind} into {self.logger.folder}")
        return self.logger.opened(training, config, resumed)


def train_once(
    job: Job,
    split: Split,
    config: TrainConfig,
    callbacks: Sequence[Callback] = (),
    regularisation: Regularisation | None = None,
    training: str = TRAINING,
) -> Trained:
    """Train on the training clips of a split; goes on from a checkpoint where `job.checkpoints` has one to resume.

    Args:
        callbacks: of the learner, beside those of its config.
        regularisation: of a linear probe; None: the best for speakers whom it was not fitted to.
        training: which one of the run it is, `TRAINING` or `REFIT`.

    Raises:
        UserError: a checkpoint to resume that is damaged, or of other settings.
    """
    hand_out((split, config, callbacks))
    found = None if config.linear_probe else from_first(partial(job.checkpoint, training))
    set_seed(config.seed, reproducible=True)
    image_set = job.image_set
    fixed = architecture(config.architecture).normalisation
    training_rows = subset_rows(image_set, split.train)
    normalisation = fixed or from_first(lambda: compute_normalisation(image_set, training_rows))
    make_loaders = partial(
        data_loaders, image_set, split, normalisation, config.epoch_over, config.batch_size, default_device(),
        balance=config.balance,
    )  # fmt: skip
    if config.linear_probe:
        return _probe(job, make_loaders(), split, config, normalisation, regularisation)
    keep_freed_memory()  # a linear probe has no steps, and would keep much of what it never allocates again
    teacher = Teacher.of(Path(config.teacher), image_set, split, job.report) if config.teacher else None
    settings = (image_set.labels, image_set.spec, normalisation, job.folder, teacher)
    loaders = make_loaders(targets=teacher.of_image if teacher else None)
    learner = make_learner(loaders, config, *settings).add_cbs(callbacks)
    frozen = frozen_backbone(learner, image_set, normalisation, make_loaders, job.report)
    with frozen if config.freeze else nullcontext() as cache, torch_writes(job.folder.parent):
        lr, lr_finder = (found.lr, found.lr_finder) if found else from_first(lambda: _lr(learner, config, job.report))
        join(learner, config)
        if from_first(lambda: bool(job.checkpoints)):
            learner.add_cb(Checkpointing(job.checkpoints, training, found, lr, lr_finder))
        with job.log(training, config, resumed=found is not None) as logger:
            history = fit(learner.add_cbs(logger), config, lr, job.report, job.trainings_after)
    shutil.rmtree(job.folder / "models", ignore_errors=True)
    plain = plain_learner(learner.model, image_set.labels, image_set.spec, normalisation)
    earlier_s = found.seconds if found else 0.0
    return Trained(plain, normalisation, history, lr, lr_finder, cache, earlier_s=earlier_s)


def _probe(
    job: Job,
    loaders: Any,
    split: Split,
    config: TrainConfig,
    normalisation: Normalisation,
    regularisation: Regularisation | None,
) -> Trained:
    """A linear probe of the config's frozen backbone."""
    if job.logger:
        LOGGER.warning("--logger: no effect, since a linear probe has no epochs")
    image_set = job.image_set
    corpora = corpora_with_heads(config, image_set)
    network = for_probing(config, image_set.labels, image_set.spec, len(corpora))
    cache = compute_embeddings(network[0].to(loaders.device).eval(), image_set, normalisation, loaders, job.report)
    plain = plain_learner(network, image_set.labels, image_set.spec, normalisation)
    clips = embed_clips(plain, image_set, subset_rows(image_set, split.train), cache)
    clips = replace(clips, balance=config.balance)
    blocks = blocks_of(config.architecture, clips.values.shape[1])
    probe = fit_probe(clips, blocks, len(image_set.labels), corpora, regularisation)
    put_in(probe, network)
    names = ("train_loss",) if regularisation else ("train_loss", "valid_loss", "accuracy", "uar")
    report = "  ".join(f"{name} {probe.metrics[name]:.4f}" for name in names)
    job.report(f"linear probe, C {probe.regularisation.c:g}: {report}  {probe.metrics['seconds']:.0f} s")
    return Trained(plain, normalisation, [probe.metrics], None, None, cache, probe)


def _lr(learner: Any, config: TrainConfig, report: Report) -> tuple[float, LRFinderResult | None]:
    if config.lr is not None:
        return config.lr, None
    result = find_lr(learner)
    suggestions = ", ".join(f"{name} {lr:.2e}" for name, lr in result.suggestions.items())
    report(f"learning rate: {suggestions}; using {config.lr_suggestion}")
    return result.suggestions[config.lr_suggestion], result

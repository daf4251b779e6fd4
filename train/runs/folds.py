"""Cross-validation: several folds of a protocol, each a run of its own, and their pooled metrics.

cross_validate(ImageSet.read(Path("images")), TrainConfig(weights="none"), "speaker", [0, 1, 2, 3, 4], Path("runs/all"))
"""

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import files_moved_into, require_writable
from ser_images.data.splits import make_split, n_folds
from ser_images.spectrogram_gen.backends.processes import end_with_parent
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.evaluation.adaptation import adaptation_text
from ser_images.train.evaluation.metrics import report_text
from ser_images.train.runs.finished import keep
from ser_images.train.runs.records import provenance, write_metrics
from ser_images.train.runs.results import FOLD, Result, config_of_fold
from ser_images.train.runs.run import for_images, run
from ser_images.train.training import distributed
from ser_images.train.training.callbacks import Report
from ser_images.train.training.config import TrainConfig


@dataclass(frozen=True)
class _Task:
    """One fold that is still to be trained; it can be sent to another process."""

    images: Path
    config: TrainConfig
    protocol: str
    fold: int
    out: Path
    test: bool
    command: tuple[str, ...]
    resume: bool
    logger: str

    def train(self, report: Report, trainings_after: int) -> None:
        image_set = ImageSet.read(self.images)
        settings = (image_set, self.config, self.protocol, self.fold, self.out)
        run(*settings, report, self.test, self.command, trainings_after, self.resume, self.logger)


def parse_folds(text: str, image_set: ImageSet, protocol: str) -> list[int]:
    """The fold numbers in `all`, or in a list such as `0,2`.

    Raises:
        UserError: not a number, or a fold that the protocol doesn't have.
    """
    existing = list(range(n_folds(image_set.rows, protocol)))
    if text == "all":
        return existing
    try:
        folds = sorted({int(part) for part in text.split(",")})
    except ValueError as error:
        raise UserError(f"--folds {text}: expected all, or numbers such as 0,2") from error
    if unknown := set(folds) - set(existing):
        raise UserError(f"--folds {text}: no fold {min(unknown)}; protocol {protocol} has folds 0 to {existing[-1]}")
    return folds


def cross_validate(
    image_set: ImageSet,
    config: TrainConfig,
    protocol: str,
    folds: Sequence[int],
    out: Path,
    report: Report = print,
    test: bool = True,
    command: Sequence[str] = (),
    jobs: int | None = None,
    resume: bool = False,
    logger: str = "",
) -> dict[str, Any]:
    """Train folds into `out`/fold-N, keep those that are finished, and write the pooled metrics of all into `out`.

    A finished fold without its `model.onnx` (the process was killed before) gets it from its weights.

    Args:
        test, command, resume, logger: as in `ser_images.train.runs.run.run`.
        jobs: folds to train at the same time; None: one per GPU, or one without a GPU or where several processes train
            together.

    Returns:
        The content of `metrics.json`: metrics of all clips pooled, of each fold, and the mean over folds.

    Raises:
        UserError: as `run`, or a fold in `out` was trained with other settings.
    """
    if (out / "run.json").exists():
        raise UserError(f"{out}: holds a run of one fold; give another --out")
    require_writable(out)
    config = for_images(config, image_set, test)
    existing = {int(folder.name.rpartition("-")[2]) for folder in out.glob(FOLD.format("[0-9]*"))}
    for fold in folds:
        config_of_fold(config, fold)  # refuses a fold without weights or a teacher before any is trained
    tasks = [
        _Task(image_set.folder, config, protocol, fold, out / FOLD.format(fold), test, tuple(command), resume, logger)
        for fold in sorted({*folds, *existing})
    ]
    for task in tasks:
        if task.out.exists():
            _keep(task, image_set, report)
    _train([task for task in tasks if not task.out.exists()], jobs, report)
    result = Result.read(out)
    metrics = result.metrics
    with files_moved_into(out) as part:
        write_metrics(part, result.predictions, metrics, image_set.folder)
    report(f"\n{len(result.folds)} folds together:\n{report_text(result.predictions)}{adaptation_text(metrics)}")
    return metrics


def _keep(task: _Task, image_set: ImageSet, report: Report) -> None:
    split = make_split(image_set.rows, task.protocol, task.fold, task.config.seed)
    expected = provenance(image_set, split, task.protocol, task.fold, task.config, task.command)
    keep(task.out, expected, task.test, image_set, report)


def _train(tasks: Sequence[_Task], jobs: int | None, report: Report) -> None:
    jobs = jobs or (1 if distributed.count() > 1 else max(1, torch.cuda.device_count()))
    if jobs == 1 or len(tasks) < 2:
        for number, task in enumerate(tasks, 1):
            task.train(report, len(tasks) - number)
        return
    os.environ.setdefault("PYTHONWARNINGS", "ignore::FutureWarning")  # as the command line does for itself
    context = multiprocessing.get_context("spawn")
    workers = context.Queue()
    for worker in range(jobs):
        workers.put(worker)
    with ProcessPoolExecutor(jobs, context, initializer=_start_worker, initargs=(workers, jobs)) as processes:
        trainings = [
            processes.submit(_train_in_process, task, (len(tasks) - number) // jobs)
            for number, task in enumerate(tasks, 1)
        ]
        for done in as_completed(trainings):
            done.result()


def _start_worker(workers: "multiprocessing.Queue[int]", jobs: int) -> None:
    """Take one GPU, or a part of the CPU cores, and end when the parent process ends."""
    end_with_parent()
    worker = workers.get()
    if torch.cuda.is_available():
        torch.cuda.set_device(worker % torch.cuda.device_count())
    else:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // jobs))


def _train_in_process(task: _Task, trainings_after: int) -> None:
    task.train(lambda line: print(f"fold {task.fold}: {line}", flush=True), trainings_after)

"""Several folds of a protocol, each a run of its own, and their figures together.

cross_validate(ImageSet.read(Path("images")), TrainConfig(weights="none"), "speaker", [0, 1, 2, 3, 4], Path("runs/all"))
"""

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import torch

from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import require_writable
from ser_images.data.splits import make_split, n_folds
from ser_images.spectrogram_gen.dataset.image_set import ImageSet
from ser_images.train.evaluation.metrics import report_text
from ser_images.train.runs.records import provenance, write_figures
from ser_images.train.runs.results import FOLD, Result, read_json, read_provenance
from ser_images.train.runs.run import run
from ser_images.train.training.callbacks import Report
from ser_images.train.training.config import TrainConfig

_DEFINING = ("config", "protocol", "fold", "spec_hash", "clips_hash", "pictures", "clips")
"""What of `run.json` must be the same for a fold to count as done."""


@dataclass(frozen=True)
class _Task:
    """One fold that is still to be trained; it goes to another process."""

    images: Path
    recipe: TrainConfig
    protocol: str
    fold: int
    out: Path
    test: bool
    command: tuple[str, ...]

    def train(self, report: Report, trainings_after: int) -> None:
        images = ImageSet.read(self.images)
        run(images, self.recipe, self.protocol, self.fold, self.out, report, self.test, self.command, trainings_after)


def folds_of(text: str, images: ImageSet, protocol: str) -> list[int]:
    """The folds that `all`, or a list such as `0,2`, means.

    Raises:
        UserError: no such fold, or no number.
    """
    every = list(range(n_folds(images.rows, protocol)))
    if text == "all":
        return every
    try:
        asked = sorted({int(part) for part in text.split(",")})
    except ValueError as error:
        raise UserError(f"--folds {text}: expected all, or numbers such as 0,2") from error
    if strange := set(asked) - set(every):
        raise UserError(f"--folds {text}: {min(strange)} is none of protocol {protocol}, which has 0 to {every[-1]}")
    return asked


def cross_validate(
    images: ImageSet,
    recipe: TrainConfig,
    protocol: str,
    folds: Sequence[int],
    out: Path,
    report: Report = print,
    test: bool = True,
    command: Sequence[str] = (),
    jobs: int | None = None,
) -> dict[str, Any]:
    """Train these folds into `out`/fold-N, those that are there left as they are, and pool what all of them say.

    Args:
        test, command: as `ser_images.train.runs.run.run` takes them.
        jobs: folds at a time; None: one a GPU, or one where there is none.

    Returns:
        The content of `metrics.json`: of all clips together, of each fold, and the mean of the folds.

    Raises:
        UserError: as `run`, or a fold in `out` that was trained otherwise.
    """
    if (out / "run.json").exists():
        raise UserError(f"{out}: holds a run of one fold; give another --out")
    require_writable(out)
    recipe, tasks = recipe.resolved(), list[_Task]()
    there = {int(folder.name.rpartition("-")[2]) for folder in out.glob(FOLD.format("[0-9]*"))}
    for fold in sorted({*folds, *there}):
        task = _Task(images.folder, recipe, protocol, fold, out / FOLD.format(fold), test, tuple(command))
        if _is_done(task, images):
            report(f"fold {fold}: done before, kept")
        else:
            tasks.append(task)
    _train(tasks, jobs or max(1, torch.cuda.device_count()), report)
    result = Result.read(out)
    figures = result.figures
    write_figures(out, result.predictions, figures, images.folder)
    report(f"\n{len(result.folds)} folds together:\n{report_text(result.predictions)}")
    return figures


def _is_done(task: _Task, images: ImageSet) -> bool:
    if not task.out.exists():
        return False
    there = read_provenance(task.out)
    split = make_split(images.rows, task.protocol, task.fold, task.recipe.seed)
    asked = provenance(images, split, task.protocol, task.fold, task.recipe, task.command)
    other = [name for name in _DEFINING if there.get(name) != asked[name]]
    if read_json(task.out / "metrics.json").get("side") != ("test" if task.test else "validation"):
        other.append("the side that is reported")
    if other:
        raise UserError(f"{task.out}: trained otherwise ({', '.join(other)}); give another --out, or remove it")
    return True


def _train(tasks: Sequence[_Task], jobs: int, report: Report) -> None:
    if jobs == 1 or len(tasks) < 2:
        for number, task in enumerate(tasks, 1):
            task.train(report, len(tasks) - number)
        return
    os.environ.setdefault("PYTHONWARNINGS", "ignore::FutureWarning")  # as the command line does for itself
    context = multiprocessing.get_context("spawn")
    places = context.Queue()
    for place in range(jobs):
        places.put(place)
    with ProcessPoolExecutor(jobs, context, initializer=_take_place, initargs=(places, jobs)) as processes:
        for done in as_completed(
            [
                processes.submit(_train_in_process, task, (len(tasks) - number) // jobs)
                for number, task in enumerate(tasks, 1)
            ]
        ):
            done.result()


def _take_place(places: "multiprocessing.Queue[int]", jobs: int) -> None:
    """One of the GPUs, or a share of the processor, for as long as whoever started this process lives."""
    Thread(target=_end_with_parent, daemon=True).start()
    place = places.get()
    if torch.cuda.is_available():
        torch.cuda.set_device(place % torch.cuda.device_count())
    else:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // jobs))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _train_in_process(task: _Task, trainings_after: int) -> None:
    task.train(lambda line: print(f"fold {task.fold}: {line}", flush=True), trainings_after)
